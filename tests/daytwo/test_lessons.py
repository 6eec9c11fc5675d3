"""Lessons: what is shown later goes on from where the learner has got to."""

from __future__ import annotations

import numpy as np

from daytwo.curricula.examples import count
from daytwo.curricula.textbook import Textbook
from daytwo.lessons import as_many_examples, give_lessons
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.sim.arms import load_arm
from daytwo.sim.observation import OBSERVATION
from daytwo.sim.vec_env import BatchVecEnv

ARM = load_arm("panda")
BOOK = Textbook.model_validate(
    {
        "name": "x",
        "lessons": 2,
        "chapters": [{"name": "a", "exercises": [{"task": "pick", "worked_examples": 4}]}],
        "exam": [{"task": "pick"}],
    }
)


def test_a_learner_is_taught_lesson_by_lesson() -> None:
    env = BatchVecEnv(ARM, BOOK.tasks, 2)
    config = LearnerConfig(hidden=16, batch_size=32, warm_updates=10)
    learner = Learner(env, config=config, scale=env.world.scale, device="cpu")
    told: list[str] = []
    shown = give_lessons(learner, ARM, BOOK, seed=1, tell=told.append)
    env.close()
    first, later = shown[:4], shown[4:]
    left = OBSERVATION["time_left"]
    assert count(first) == {"pick": 4}
    assert 0 < len(later) <= 4
    assert all(episode.observations[0, left] == 1.0 for episode in first)
    assert any(episode.observations[0, left] < 1.0 for episode in later)
    assert learner.cloned == learner.n_updates == 10, "the last lesson is imitated by `learn`"
    assert learner.uncloned == 10
    assert len(learner.successes.examples) == sum(len(episode) for episode in shown)
    assert any("Lesson 2" in line for line in told)


def test_a_clone_gets_as_many_by_the_experts_alone() -> None:
    examples = as_many_examples(ARM, BOOK, seed=1)
    assert len(examples) == 8
    left = OBSERVATION["time_left"]
    np.testing.assert_array_equal([e.observations[0, left].item() for e in examples], 1.0)
