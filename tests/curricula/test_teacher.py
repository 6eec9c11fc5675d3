import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daytwo.curricula.teacher import ChapterSampler
from daytwo.curricula.textbook import Textbook
from daytwo.errors import InputError

BOOK = Textbook.model_validate(
    {
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
    }
)
RNG = np.random.default_rng


def test_draws_only_open_chapters_by_share_and_within_their_difficulty() -> None:
    teacher = ChapterSampler(BOOK)
    task, difficulty = teacher.draw(4000, RNG(0))
    assert set(task) == {0, 1}
    assert (task == 1).mean() == pytest.approx(0.75, abs=0.03)
    assert difficulty[task == 0].max() <= 0.2
    assert difficulty[task == 1].min() >= 0.5
    assert teacher.open_tasks == ("reach", "push")


def test_a_chapter_opens_when_all_its_tasks_reached_the_mark_and_old_ones_stay() -> None:
    teacher = ChapterSampler(BOOK)
    assert not teacher.unlock({"reach": 1.0, "push": 0.49})
    assert not teacher.unlock({"reach": 1.0})
    assert teacher.unlock({"reach": 0.5, "push": 0.5})
    assert teacher.open_tasks == ("reach", "push", "pick")
    # Only the newest chapter decides about the next; a dip in an old one does not lock it again.
    assert teacher.unlock({"reach": 0.0, "push": 0.0, "pick": 0.9})
    assert not teacher.unlock({"place": 1.0})
    task, _ = teacher.draw(1000, RNG(1))
    assert set(task) == {0, 1, 2, 3}


def test_moving_success_is_the_mean_at_first_and_follows_later() -> None:
    teacher = ChapterSampler(BOOK)
    assert teacher.success() == {}

    def practise(outcomes: list[bool]) -> None:
        n = len(outcomes)
        teacher.record(np.zeros(n, dtype=np.int64), np.zeros(n), np.array(outcomes))

    practise([True, False])
    practise([True, True])
    assert teacher.success() == {"reach": pytest.approx(0.75)}
    for _ in range(100):
        practise([False] * 10)
    assert teacher.success()["reach"] < 0.01


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40), st.integers(0, 100))
def test_resumes_exactly_through_json(past: list[tuple[int, bool]], seed: int) -> None:
    teacher = ChapterSampler(BOOK)
    teacher.unlock({"reach": 1.0, "push": 1.0})
    for task, success in past:
        teacher.record(np.array([task]), np.zeros(1), np.array([success]))
    again = ChapterSampler(BOOK)
    again.load_state_dict(json.loads(json.dumps(teacher.state_dict())))
    assert again.success() == teacher.success()
    assert again.open == teacher.open
    for a, b in zip(teacher.draw(20, RNG(seed)), again.draw(20, RNG(seed)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_refuses_the_state_of_another_textbook() -> None:
    other = BOOK.model_copy(update={"chapters": BOOK.chapters[:1]})
    with pytest.raises(InputError, match="pick"):
        ChapterSampler(other).load_state_dict(ChapterSampler(BOOK).state_dict())
