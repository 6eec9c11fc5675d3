"""Worked examples: successful attempts by the scripted experts, to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daytwo.curricula.attempts import AT_ONCE, EXAMPLES, Act, Exercises, attempt, expert
from daytwo.curricula.textbook import Textbook
from daytwo.errors import InputError
from daytwo.memory.episodes import Episode
from daytwo.sim.arms import Arm
from daytwo.sim.believed import Blur
from daytwo.sim.world import StepResult, World


class Recorder:
    """Watches attempts and keeps each one whole."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._steps: list[list[tuple[Any, ...]]] = [[] for _ in range(world.n)]
        self.episodes: dict[int, Episode] = {}  # by exercise

    def __call__(
        self,
        at: NDArray[np.int64],
        observation: NDArray[np.float32],
        action: NDArray[np.floating],
        result: StepResult,
    ) -> None:
        """Note one step; see `daytwo.curricula.attempts.Watch`."""
        ended = result.terminated | result.truncated
        for i in np.flatnonzero(at >= 0):
            self._steps[i].append((observation[i], action[i], result.reward[i]))
            if ended[i]:
                observations, actions, rewards = zip(*self._steps[i], strict=True)
                self._steps[i] = []
                self.episodes[int(at[i])] = Episode(
                    observations=np.array([*observations, result.obs[i]], dtype=np.float32),
                    actions=np.array(actions, dtype=np.float32),
                    rewards=np.array(rewards, dtype=np.float32),
                    terminated=bool(result.terminated[i]),
                    success=bool(result.success[i]),
                    task=self._world.tasks[self._world.task[i]].name,
                )


def worked_examples(arm: Arm, textbook: Textbook, seed: int, threads: int = 0) -> list[Episode]:
    """Let the experts show what the textbook asks for.

    Args:
        arm: the arm that is studied on.
        textbook: says how many successful examples of each exercise, at which difficulties.
        seed: of the exercises shown; they are never exam questions.
        threads: of the physics; 0 uses every core.

    Returns:
        Exactly the number of successful episodes asked for, exercise by exercise.

    Raises:
        InputError: an expert succeeds so seldom on this arm that examples are missing.
    """
    rng = np.random.default_rng(seed)
    wanted = [exercise for _, exercise in textbook.exercises() if exercise.worked_examples]
    if not wanted:
        return []
    tries = [int(np.ceil(exercise.worked_examples * exercise.spare)) + 4 for exercise in wanted]
    tasks = textbook.tasks
    exercises = Exercises(
        task=np.repeat([tasks.index(exercise.task) for exercise in wanted], tries),
        difficulty=np.concatenate(
            [rng.uniform(*e.difficulty, size=n) for e, n in zip(wanted, tries, strict=True)]
        ),
        seed=EXAMPLES + rng.integers(2**32, size=sum(tries)),
    )
    world = World(arm, tasks, min(AT_ONCE, len(exercises)), threads, ranges=textbook.context)
    recorder = Recorder(world)
    # Experts, too, act on what is believed: what they show when unsure is worth seeing.
    begun = None if textbook.context is None else Blur(seed)
    tremor = np.zeros(len(tasks))
    for exercise in wanted:
        i = tasks.index(exercise.task)
        tremor[i] = max(tremor[i], exercise.tremor)
    success = attempt(world, exercises, _trembling(rng, tremor, begun), recorder, begun=begun)

    episodes: list[Episode] = []
    start = 0
    for exercise, n in zip(wanted, tries, strict=True):
        good = start + np.flatnonzero(success[start : start + n])
        start += n
        if len(good) < exercise.worked_examples:
            raise InputError(
                f"worked examples of '{exercise.task}' on arm '{arm.name}': the scripted expert "
                f"succeeded in {len(good)} of {n} attempts, {exercise.worked_examples} are asked "
                "for; check the arm's workspace, speed and gripper, or raise `spare`"
            )
        episodes += [recorder.episodes[int(i)] for i in good[: exercise.worked_examples]]
    return episodes


def _trembling(rng: np.random.Generator, size: NDArray[np.float64], blur: Blur | None) -> Act:
    """The expert, with a trembling hand in every other simulation, and wavering beliefs.

    Examples that were knocked off course show how to come back (Laskey et al., DART, 2017).
    What is recorded is what was done, tremor included.
    """

    def act(world: World, observation: NDArray[np.float32]) -> NDArray[np.floating]:
        action = expert(world, observation)
        if blur is not None:
            blur.waver(world)
        tremor = size[world.task, None] * rng.standard_normal(action.shape)
        tremor[::2] = 0.0
        return np.clip(action + tremor, -1.0, 1.0)

    return act


def count(episodes: list[Episode]) -> Mapping[str, int]:
    """Return how many episodes there are of each task."""
    tasks = [episode.task for episode in episodes]
    return {task: tasks.count(task) for task in dict.fromkeys(tasks)}
