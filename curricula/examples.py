"""Worked examples: successful attempts by the scripted experts, to learn from; in later lessons
they show how to go on from where the learner has got to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

LEAD = 0.7  # share of an attempt's time that a learner may have at most before it is shown


class Recorder:
    """Watches attempts and keeps of each what is shown.

    Args:
        world: they are made in.
        showing: says in which simulations (n,) the latest action was; None: in all.
    """

    def __init__(
        self, world: World, showing: Callable[[], NDArray[np.bool_]] | None = None
    ) -> None:
        self._world, self._showing = world, showing
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
        shown = at >= 0 if self._showing is None else (at >= 0) & self._showing()
        for i in np.flatnonzero(shown):
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


def worked_examples(
    arm: Arm,
    textbook: Textbook,
    seed: int,
    threads: int = 0,
    lesson: int = 0,
    learner: Act | None = None,
    blind: bool = False,
) -> list[Episode]:
    """Let the experts show what the textbook asks for.

    Whoever is shown perfect attempts alone never sees how to get out of the mistakes it makes
    (Ross et al., DAgger, AISTATS 2011). So a learner may begin, and the expert takes over.

    Args:
        arm: the arm that is studied on.
        textbook: says how many successful examples of each exercise, at which difficulties.
        seed: of the exercises shown; they are never exam questions.
        threads: of the physics; 0 uses every core.
        lesson: each shows other exercises.
        learner: begins every attempt, for a time that chance decides; only what the expert does
            then is shown.
        blind: nobody believes anything of what is hidden; for a learner that is never told.

    Returns:
        Exactly the number of successful episodes asked for, exercise by exercise; of those that a
        learner begins perhaps fewer, since it may succeed before.

    Raises:
        InputError: an expert succeeds so seldom on this arm that examples are missing.
    """
    rng = np.random.default_rng([seed, lesson] if lesson else seed)
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
    # Experts, too, act on what is believed: what they show when unsure is worth seeing.
    begun = None if textbook.context is None or blind else Blur(seed + lesson)
    tremor = np.zeros(len(tasks))
    for exercise in wanted:
        i = tasks.index(exercise.task)
        tremor[i] = max(tremor[i], exercise.tremor)
    showing = _Showing(world, rng, tremor, begun, learner)
    recorder = Recorder(world, lambda: showing.now)
    success = attempt(world, exercises, showing, recorder, begun=begun)

    episodes: list[Episode] = []
    start = 0
    for exercise, n in zip(wanted, tries, strict=True):
        good = [i for i in range(start, start + n) if success[i] and i in recorder.episodes]
        start += n
        if learner is None and len(good) < exercise.worked_examples:
            raise InputError(
                f"worked examples of '{exercise.task}' on arm '{arm.name}': the scripted expert "
                f"succeeded in {len(good)} of {n} attempts, {exercise.worked_examples} are asked "
                "for; check the arm's workspace, speed and gripper, or raise `spare`"
            )
        episodes += [recorder.episodes[i] for i in good[: exercise.worked_examples]]
    return episodes


class _Showing:
    """The expert, with a trembling hand in every other simulation, and wavering beliefs; perhaps
    after a learner, in whose place it goes on.

    Examples that were knocked off course show how to come back (Laskey et al., DART, 2017).
    What is recorded is what was done, tremor included.
    """

    def __init__(
        self,
        world: World,
        rng: np.random.Generator,
        tremor: NDArray[np.float64],
        blur: Blur | None,
        learner: Act | None,
    ) -> None:
        self._rng, self._tremor, self._blur, self._learner = rng, tremor, blur, learner
        self._until = np.zeros(world.n)  # steps that the learner has
        self.now = np.ones(world.n, dtype=bool)  # where the expert acted

    def __call__(self, world: World, observation: NDArray[np.float32]) -> NDArray[np.floating]:
        action = expert(world, observation)
        tremor = self._tremor[world.task, None] * self._rng.standard_normal(action.shape)
        tremor[::2] = 0.0
        action = np.clip(action + tremor, -1.0, 1.0)
        if self._learner is not None:
            fresh = world.steps == 0
            most = LEAD * world.horizons[world.task[fresh]]
            self._until[fresh] = self._rng.uniform(0.0, most)
            self.now = world.steps >= self._until
            theirs = self._learner(world, observation)
            action = np.where(self.now[:, None], action, theirs)
        if self._blur is not None:
            self._blur.waver(world)
        return action


def count(episodes: list[Episode]) -> Mapping[str, int]:
    """Return how many episodes there are of each task."""
    tasks = [episode.task for episode in episodes]
    return {task: tasks.count(task) for task in dict.fromkeys(tasks)}
