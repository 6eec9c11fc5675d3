import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from daytwo.curricula.teacher import Order, Teacher
from daytwo.curricula.teachers import make_teacher
from daytwo.curricula.textbook import Textbook
from daytwo.errors import InputError

KINDS = ("order", "uniform", "learnability", "progress")
RNG = np.random.default_rng


def book(kind: str = "order", **changes: Any) -> Textbook:
    """Three chapters of four tasks; reach lies in an easy part of its range."""
    content = {
        "name": "three",
        "chapters": [
            {
                "name": "a",
                "unlock": 0.5,
                "exercises": [
                    {"task": "reach", "difficulty": [0.0, 0.2]},
                    {"task": "push", "difficulty": [0.5, 0.6], "share": 3},
                ],
            },
            {"name": "b", "unlock": 0.9, "exercises": [{"task": "pick"}]},
            {"name": "c", "exercises": [{"task": "place"}]},
        ],
        "exam": [{"task": "reach"}],
        "teacher": {"kind": kind, "bins": 2},
    }
    return Textbook.model_validate(content | changes)


def probe(teacher: Teacher, **good: int | tuple[int, int]) -> list[str]:
    """A probe of 10 questions a cell; successes by task, or by its easy and its hard bin."""
    pairs = {task: (n, n) if isinstance(n, int) else n for task, n in good.items()}
    successes = [pairs.get(task, (0, 0))[i] for task in teacher.tasks for i in range(2)]
    attempts = [10 if task in pairs else 0 for task in teacher.tasks for _ in range(2)]
    return teacher.probed(np.array(successes), np.array(attempts))


def practise(teacher: Teacher, task: str, difficulty: float, outcomes: list[bool]) -> None:
    n = len(outcomes)
    index = np.full(n, teacher.tasks.index(task))
    teacher.record(index, np.full(n, difficulty), np.array(outcomes))


def share(teacher: Teacher, task: str) -> NDArray[np.float64]:
    """The task's shares, easy and hard."""
    return teacher.share()[teacher.grid.task == teacher.tasks.index(task)]


# Order: chapters.


def test_draws_only_open_chapters_by_share_and_within_their_difficulty() -> None:
    teacher = make_teacher(book())
    task, difficulty = teacher.draw(4000, RNG(0))
    assert set(task) == {0, 1}
    assert (task == 1).mean() == pytest.approx(0.75, abs=0.03)
    assert difficulty[task == 0].max() <= 0.2
    assert difficulty[task == 1].min() >= 0.5
    assert teacher.open_tasks == ("reach", "push")
    assert teacher.place == "chapter 1/3 a"


def test_a_chapter_opens_when_all_its_tasks_reached_the_mark_and_old_ones_stay() -> None:
    teacher = make_teacher(book())
    assert probe(teacher, reach=10, push=4) == []
    assert probe(teacher, reach=10) == []
    assert probe(teacher, reach=5, push=5) == ["b"]
    assert teacher.open_tasks == ("reach", "push", "pick")
    assert set(teacher.draw(2000, RNG(0))[0]) == {0, 1, 2}
    assert probe(teacher, reach=0, push=0, pick=9) == ["c"]
    assert teacher.open == 3
    assert probe(teacher, reach=10, push=10, pick=10, place=10) == []


def test_chapters_open_by_what_they_need() -> None:
    chapters = [
        {"name": "lift", "needs": ["touch"], "exercises": [{"task": "pick"}]},
        {"name": "touch", "needs": [], "exercises": [{"task": "reach"}]},
        {"name": "shove", "needs": [], "exercises": [{"task": "push"}]},
        {"name": "build", "needs": ["lift", "shove"], "exercises": [{"task": "stack"}]},
    ]
    teacher = make_teacher(book(chapters=chapters))
    assert teacher.open_tasks == ("reach", "push")
    assert probe(teacher, reach=9, push=0) == ["lift"]
    assert probe(teacher, reach=9, push=0, pick=9) == []
    assert probe(teacher, reach=9, push=9, pick=0) == ["build"]  # lift had been passed before


def test_a_chapters_mark_is_of_its_own_difficulties() -> None:
    """An easy chapter is passed by who can do what is easy."""
    chapters = [
        {"name": "easy", "exercises": [{"task": "push", "difficulty": [0, 0.5]}]},
        {"name": "hard", "exercises": [{"task": "push", "difficulty": [0.5, 1]}]},
    ]
    assert probe(make_teacher(book(chapters=chapters)), push=(9, 0)) == ["hard"]


# Choice by success.


@pytest.mark.parametrize("kind", KINDS[1:])
def test_all_cells_are_open_and_alike_at_the_start(kind: str) -> None:
    teacher = make_teacher(book(kind))
    assert teacher.open_tasks == teacher.tasks
    assert teacher.share() == pytest.approx(1 / len(teacher.grid))
    task, difficulty = teacher.draw(4000, RNG(0))
    assert set(task) == {0, 1, 2, 3}
    assert difficulty[task == 0].max() <= 0.2
    push = difficulty[task == 1]
    assert 0.5 <= push.min() < 0.52
    assert 0.58 < push.max() <= 0.6


def test_uniform_stays_so() -> None:
    teacher = make_teacher(book("uniform"))
    practise(teacher, "push", 0.55, [True, False] * 50)
    probe(teacher, reach=10, push=5, pick=0, place=0)
    assert teacher.share() == pytest.approx(1 / 8)


def test_learnability_goes_where_success_is_half() -> None:
    teacher = make_teacher(book("learnability"))
    for task, difficulty in (("reach", 0.1), ("push", 0.55), ("pick", 0.2), ("place", 0.2)):
        often = {"reach": [True], "push": [True, False]}.get(task, [False])
        practise(teacher, task, difficulty, often * 60)
    assert share(teacher, "push")[1] > 3 * share(teacher, "reach")[1]
    assert share(teacher, "push")[1] > 3 * share(teacher, "pick")[0]


def test_a_cell_that_rises_gets_more_than_one_that_is_flat() -> None:
    teacher = make_teacher(book("progress"))
    for n in range(0, 10, 2):
        probe(teacher, reach=5, push=(n, 5), pick=5, place=5)
    rising, flat = share(teacher, "push")
    assert rising > 1.5 * flat
    assert rising > 1.5 * share(teacher, "pick").max()


def test_mastered_and_hopeless_cells_get_little_but_never_nothing() -> None:
    teacher = make_teacher(book("progress"))
    for n in range(0, 10, 2):
        probe(teacher, reach=10, push=n, pick=0, place=0)
    for difficulty in (0.05, 0.15, 0.3, 0.52, 0.58, 0.9):
        practise(teacher, "reach", min(difficulty, 0.2), [True] * 50)
        practise(teacher, "push", min(max(difficulty, 0.5), 0.6), [True, False] * 25)
        for hopeless in ("pick", "place"):
            practise(teacher, hopeless, difficulty, [False] * 50)
    least = teacher.page.uniform / 8
    for task in ("reach", "pick", "place"):
        assert (share(teacher, task) > least).all()
        assert (share(teacher, task) < 0.05 * share(teacher, "push")).all()


def test_what_is_forgotten_comes_back_until_it_is_regained() -> None:
    teacher = make_teacher(book("progress"))
    for _ in range(10):
        probe(teacher, reach=10, push=10, pick=10, place=1)
    kept = share(teacher, "push")[1]
    for _ in range(4):
        probe(teacher, reach=10, push=(10, 3), pick=10, place=1)
    assert share(teacher, "push")[1] > 1.8 * kept
    assert share(teacher, "push")[1] == teacher.share().max()
    for _ in range(20):
        probe(teacher, reach=10, push=10, pick=10, place=1)
    assert share(teacher, "push")[1] == pytest.approx(kept, rel=0.05)


def test_the_sharper_the_focus_the_fewer_cells_are_drawn() -> None:
    wide, sharp = (
        make_teacher(book("learnability", teacher={"kind": "learnability", "focus": focus}))
        for focus in (1, 4)
    )
    for teacher in (wide, sharp):
        practise(teacher, "push", 0.51, [True, False] * 25)
        practise(teacher, "pick", 0.1, [True] * 9 + [False])
    ratio = share(wide, "push")[0] / share(wide, "pick")[0]
    assert 1 < ratio < share(sharp, "push")[0] / share(sharp, "pick")[0]


class Student:
    """Learns a cell from its own successes there, and a little of its neighbours'.

    Made up: it stands for what a curriculum is for, hard exercises that need the easier ones.
    """

    def __init__(self) -> None:
        self.p = np.full((4, 4), 0.02)
        self.p[:, 0] = (0.8, 0.4, 0.4, 0.4)
        self.speed = 4e-3 * np.array([4.0, 0.5, 1.5, 1.0])[:, None]

    def attempt(
        self, task: NDArray[np.int64], difficulty: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.bool_]:
        cell = task, np.minimum((4 * difficulty).astype(int), 3)
        return np.asarray(rng.random(len(task)) < self.p[cell])

    def learn(self, task: Any, difficulty: Any, success: Any) -> None:
        good = np.zeros((4, 4))
        bins = np.minimum((4 * difficulty).astype(int), 3)
        np.add.at(good, (task[success], bins[success]), 1.0)
        felt = good.copy()
        felt[:, 1:] += 0.3 * good[:, :-1]
        felt[:, :-1] += 0.3 * good[:, 1:]
        self.p += self.speed * felt * (1 - self.p)
        self.p = np.minimum(self.p, 1.0)


def attempts_until_learnt(kind: str, seed: int) -> int:
    everything = [{"task": task} for task in ("reach", "push", "pick", "place")]
    chapters = [{"name": "all", "exercises": everything}]
    teacher = make_teacher(book(kind, chapters=chapters, teacher={"kind": kind}))
    student, rng, n = Student(), RNG(seed), 0
    task = np.repeat(np.arange(4), 24)
    difficulty = np.tile((np.arange(24) + 0.5) / 24, 4)
    while student.p.mean() < 0.9:
        if n % 500 == 0:
            success = student.attempt(task, difficulty, rng)
            teacher.probed(*teacher.grid.count(task, difficulty, success))
        drawn = teacher.draw(50, rng)
        success = student.attempt(*drawn, rng)
        teacher.record(*drawn, success)
        student.learn(*drawn, success)
        n += 50
    return n


def test_a_made_up_student_learns_faster_from_who_looks_at_success() -> None:
    by = {
        kind: np.median([attempts_until_learnt(kind, seed) for seed in range(3)])
        for kind in ("uniform", "learnability", "progress")
    }
    assert by["uniform"] / by["progress"] > 1.3
    assert by["uniform"] / by["learnability"] > 1.3


def test_chance_is_no_progress() -> None:
    """Success that stays where it is, up to the luck of a probe, pays next to nothing."""
    teacher = make_teacher(book("progress"))
    rng = RNG(1)
    paid = []
    for _ in range(200):
        n = rng.binomial(10, 0.5, size=8)
        teacher.probed(n, np.full(8, 10))
        paid.append(teacher.progress().mean())
    rising = make_teacher(book("progress"))
    for n in range(0, 10, 2):
        probe(rising, reach=n, push=n, pick=n, place=n)
    assert np.mean(paid[:20]) < 0.4 * rising.progress().mean()


# All kinds.

OUTCOMES = st.lists(
    st.tuples(st.sampled_from(("practice", "probe")), st.lists(st.integers(0, 10), min_size=8)),
    max_size=12,
)


def live(teacher: Teacher, past: list[tuple[str, list[int]]]) -> None:
    for what, numbers in past:
        good = np.array(numbers[:8])
        if what == "probe":
            teacher.probed(good, np.where(good % 3 == 0, 0, 10) if good.min() else good)
        else:
            cell = good % len(teacher.grid)
            teacher.record(teacher.grid.task[cell], teacher.grid.low[cell], good % 2 == 0)


@pytest.mark.parametrize("kind", KINDS)
@given(past=OUTCOMES, seed=st.integers(0, 100))
def test_shares_are_of_one_and_a_state_goes_on_exactly(
    kind: str, past: list[tuple[str, list[int]]], seed: int
) -> None:
    teacher = make_teacher(book(kind))
    live(teacher, past)
    assert teacher.share().sum() == pytest.approx(1)
    assert (teacher.share() >= 0).all()
    assert (teacher.progress() >= 0).all()
    again = make_teacher(book(kind))
    again.load_state_dict(json.loads(json.dumps(teacher.state_dict(), allow_nan=False)))
    for one in (teacher, again):
        live(one, past)
    assert again.cells() == teacher.cells()
    assert again.success() == teacher.success()
    assert (again.open, again.open_tasks) == (teacher.open, teacher.open_tasks)
    for a, b in zip(teacher.draw(20, RNG(seed)), again.draw(20, RNG(seed)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_practice_success_is_the_mean_at_first_and_follows_later() -> None:
    teacher = make_teacher(book())
    assert teacher.success() == {}
    practise(teacher, "reach", 0.0, [True, False])
    practise(teacher, "reach", 0.0, [True, True])
    assert teacher.success() == {"reach": pytest.approx(0.75)}
    for _ in range(100):
        practise(teacher, "reach", 0.0, [False] * 10)
    assert teacher.success()["reach"] < 0.01


def test_what_is_drawn_is_what_is_shown() -> None:
    for kind in KINDS:
        teacher = make_teacher(book(kind))
        probe(teacher, reach=(7, 3), push=6)
        task, difficulty = teacher.draw(20_000, RNG(0))
        seen = np.bincount(teacher.grid.index(task, difficulty), minlength=8) / 20_000
        shown = [cell.share for cell in teacher.cells()]
        assert shown == pytest.approx(seen, abs=0.02)
        assert [cell.success for cell in teacher.cells()][:4] == [0.7, 0.3, 0.6, 0.6]
        assert teacher.cells()[-1].success is None


def test_refuses_the_state_of_another_textbook_or_kind() -> None:
    state = make_teacher(book()).state_dict()
    fewer = book(chapters=book().model_dump()["chapters"][:1])
    with pytest.raises(InputError, match="pick"):
        make_teacher(fewer).load_state_dict(state)
    with pytest.raises(InputError, match="kind is order, this textbook has progress"):
        make_teacher(book("progress")).load_state_dict(state)


def test_each_kind_is_made() -> None:
    assert [make_teacher(book(kind)).kind for kind in KINDS] == list(KINDS)
    assert isinstance(make_teacher(book()), Order)
