import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from daytwo.curricula.attempts import (
    EXAM,
    EXAMPLES,
    FILM,
    PROBE,
    SEED_SPACE,
    Exercises,
    attempt,
    by,
    expert,
)
from daytwo.curricula.exam import Exam, probe, questions
from daytwo.curricula.textbook import ExamPaper, Textbook, load_textbook
from daytwo.sim.arms import load_arm
from daytwo.sim.vec_env import BatchVecEnv
from daytwo.sim.world import World

PANDA = load_arm("panda")
PAPERS = (
    ExamPaper(task="reach", attempts=12, seed=1),
    ExamPaper(task="pick", attempts=8, seed=2, difficulty=(0.2, 0.4)),
)


class Still:
    """A policy that does nothing: it succeeds nowhere."""

    def predict(
        self, observation: NDArray[np.float32], *, deterministic: bool = False
    ) -> tuple[NDArray[np.float32], Any]:
        assert deterministic
        return np.zeros((len(observation), 5), dtype=np.float32), None


def test_the_same_exam_twice_gives_the_same_rows_at_any_thread_count() -> None:
    exam = Exam(PANDA, PAPERS)
    first = exam.sit(expert)
    assert exam.sit(expert) == first
    assert Exam(PANDA, PAPERS, threads=1).sit(expert) == first
    assert [(row.task, row.attempts) for row in first] == [("reach", 12), ("pick", 8)]
    assert all(row.rate > 0.8 for row in first)
    assert all(row.low <= row.rate <= row.high for row in first)


def test_a_policy_that_does_nothing_fails() -> None:
    assert [row.successes for row in Exam(PANDA, PAPERS).sit(by(Still()))] == [0, 0]


def test_some_tasks_of_an_exam_alone_are_asked_the_same_questions() -> None:
    exam = Exam(PANDA, PAPERS)
    assert exam.sit(expert, tasks=("pick",)) == exam.sit(expert)[1:]


def test_every_exercise_is_attempted_once_when_there_are_more_than_simulations() -> None:
    """Which simulation an exercise lands in, and what ran there before, changes nothing."""
    exercises = questions(PAPERS)
    wide = attempt(World(PANDA, ("reach", "pick"), 32), exercises, expert)
    narrow_world = World(PANDA, ("reach", "pick"), 3)
    ended: list[int] = []

    def watch(at: NDArray[np.int64], _o: Any, _a: Any, result: Any) -> None:
        over = (result.terminated | result.truncated) & (at >= 0)
        ended.extend(at[over])

    narrow = attempt(narrow_world, exercises, expert, watch)
    np.testing.assert_array_equal(narrow, wide)
    assert sorted(ended) == list(range(len(exercises)))


def test_questions_lie_in_a_seed_space_of_their_own() -> None:
    """Papers at the ends of what a textbook may ask stay inside the exam's space, apart."""
    papers = [
        ExamPaper(task="reach", attempts=100_000, seed=seed)
        for seed in (0, 1, 2**31 - 2, 2**31 - 1)
    ]
    seeds = questions(papers).seed
    assert len(np.unique(seeds)) == len(seeds)
    assert seeds.min() >= EXAM
    assert seeds.max() < EXAM + SEED_SPACE
    spaces = [0, EXAM, PROBE, EXAMPLES, FILM]
    assert all(b - a == SEED_SPACE for a, b in itertools.pairwise(spaces))


def test_practice_never_meets_an_exam_question(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    reset = World.reset

    def listen(self: World, ids: Any, task: Any, difficulty: Any, seed: Any) -> None:
        seen.extend(np.atleast_1d(seed).tolist())
        reset(self, ids, task, difficulty, seed)

    monkeypatch.setattr(World, "reset", listen)
    env = BatchVecEnv(PANDA, ("reach",), 16, seed=5)
    env.reset()
    for _ in range(90):
        env.step(np.zeros((16, 5), dtype=np.float32))
    assert len(seen) > 32
    assert max(seen) < SEED_SPACE <= EXAM
    env.close()


def test_difficulty_is_spread_over_the_papers_range() -> None:
    exercises = questions(PAPERS)
    assert isinstance(exercises, Exercises)
    pick = exercises.difficulty[exercises.task == 1]
    assert 0.2 < pick.min() < 0.22
    assert 0.38 < pick.max() < 0.4
    assert np.diff(pick) == pytest.approx(0.2 / 8)


def test_probe_covers_every_task_in_its_whole_range_on_other_questions() -> None:
    book = Textbook.model_validate(
        {
            "name": "x",
            "chapters": [
                {"name": "a", "exercises": [{"task": "reach", "difficulty": [0.0, 0.3]}]},
                {"name": "b", "exercises": [{"task": "reach", "difficulty": [0.2, 0.9]}]},
                {"name": "c", "exercises": [{"task": "push"}]},
            ],
            "exam": [{"task": "reach"}],
            "probe": {"attempts": 9},
        }
    )
    hall = probe(PANDA, book)
    assert hall.tasks == ("reach", "push")
    reach = hall.exercises.difficulty[hall.exercises.task == 0]
    assert len(reach) == 9
    assert reach.max() == pytest.approx(0.85)
    assert not set(hall.exercises.seed) & set(questions(book.exam).seed)


def test_the_shipped_exam_asks_every_task_200_times() -> None:
    assert len(questions(load_textbook("first_steps").exam)) == 1000
