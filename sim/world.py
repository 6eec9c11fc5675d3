"""The batched world: n simulated arms at their exercises, stepped together.

Nothing here loops over simulations in Python. An exercise is wholly decided by (task, difficulty,
seed); a simulation's future by its state and its actions, at any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from daytwo.errors import InputError
from daytwo.sim.arms import Arm
from daytwo.sim.believed import HUSHED, PRIOR, Believed
from daytwo.sim.command import Command
from daytwo.sim.context import NAMES, Context, Ranges
from daytwo.sim.engine import Engine, MujocoEngine
from daytwo.sim.fixtures import has_part
from daytwo.sim.kinematics import Chain, tool_yaw
from daytwo.sim.measuring import measure
from daytwo.sim.observation import OBS_DIM, SCALE, observe
from daytwo.sim.predicates import evaluate
from daytwo.sim.scene import CONTROL_HZ
from daytwo.sim.state import Array, State
from daytwo.sim.tasks import get_task
from daytwo.sim.tasks.base import ACTION, N_RANDOM, Placement, Task
from daytwo.sim.telling import Telling

SHAPING = 0.2  # weight of the potential beside a success's reward of 1
DISCOUNT = 0.97  # of the potential; a learner with the same discount keeps its optimal policy
START_NOISE = 0.08  # [rad] spread of the joints' start around home
LATE = 0.25  # share of its time that an attempt has more for each step commands may come late
N_CONTEXT = 2  # uniform numbers that the servos of an arm without ranges are made of


@dataclass
class StepResult:
    """Outcome of one control step, arrays over n simulations."""

    obs: NDArray[np.float32]  # (n, OBS_DIM)
    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]  # success, or a forbidden predicate came true
    truncated: NDArray[np.bool_]  # the horizon was reached, or the physics diverged
    success: NDArray[np.bool_]
    action: NDArray[np.float32]  # (n, 5) that took effect: within -1 .. 1, or what was sent instead


class World:
    """n simulations of one arm, each at its own exercise.

    Args:
        arm: the arm.
        tasks: names of the tasks that `reset` can index.
        n: number of simulations.
        threads: of the physics; 0 uses every core.
        engine: other physics than MuJoCo's, or a real arm. Nothing moves before the first `reset`,
            which is then the caller's.
        ranges: of the hidden conditions; None hides nothing but how stiff the servos are. Where
            commands may come late, every attempt has more time, whether or not its own do.

    Raises:
        InputError: for an unknown task, or one the arm or the engine cannot do.
    """

    def __init__(
        self,
        arm: Arm,
        tasks: Sequence[str],
        n: int,
        threads: int = 0,
        engine: Engine | None = None,
        ranges: Ranges | None = None,
    ) -> None:
        self.arm, self.n = arm, n
        self.tasks = tuple(get_task(name, arm) for name in tasks)
        patience = 1.0 + LATE * (ranges.delay[1] if ranges else 0.0)
        self.horizons = np.array([round(patience * task.horizon) for task in self.tasks])
        self.descriptors = np.stack([task.descriptor for task in self.tasks])
        self.ranges = ranges
        self.believed = Believed(ranges, n) if ranges and ranges.hidden else None
        self.chain = Chain(arm)
        n_objects = max(task.n_objects for task in self.tasks)
        fixtures = sorted({task.fixture for task in self.tasks} - {""})
        self.engine: Engine = engine or MujocoEngine(arm, n, n_objects, threads, fixtures)
        if self.engine.n_objects < n_objects:
            raise InputError(
                f"tasks: {', '.join(tasks)} need {n_objects} objects; the engine holds "
                f"{self.engine.n_objects}"
            )

        self.task = np.zeros(n, dtype=np.int64)
        self.difficulty = np.zeros(n)
        self.steps = np.zeros(n, dtype=np.int64)  # control steps since the reset
        self._obs = np.zeros((n, OBS_DIM), dtype=np.float32)  # the latest
        self.diverged = 0  # times that a simulation's physics went astray so far
        self._astray = np.zeros(n, dtype=bool)  # where they were at the latest step
        self.state = State.zeros(n)
        self._command = Command(arm, self.chain, n)
        self._potential = np.zeros(n)
        self._rows: list[NDArray[np.int64]] = []
        self.context = Context.nominal(n)
        self._telling = Telling(self.engine, n)
        # By task: a goal that rides on what is seen is seen; every other one is told.
        self.told_goals = np.array([type(task).goal is Task.goal for task in self.tasks])
        # What the latest step led to, which no reset changes: what was seen, the correction in it,
        # the action that had led there, and whether it succeeded.
        self.last = np.zeros((n, OBS_DIM), dtype=np.float32)
        self.last_correction = np.zeros((n, 6))
        self.last_took = np.zeros((n, len(ACTION)), dtype=np.float32)
        self.won = np.zeros(n, dtype=bool)
        self.took = np.zeros((n, len(ACTION)), dtype=np.float32)  # the latest step's `action`
        if engine is None:
            self.reset(np.arange(n), np.zeros(n, dtype=np.int64), np.zeros(n), np.arange(n))

    @property
    def obs_dim(self) -> int:
        """Elements of an observation."""
        return OBS_DIM + (0 if self.believed is None else self.believed.size)

    @property
    def correction(self) -> Array:
        """What beliefs take off what is told: camera x, y, z [m], target x, y [m] and yaw [rad]."""
        return self._telling.correction

    @property
    def scale(self) -> Array:
        """Typical size of each element of an observation, (obs_dim,)."""
        return np.concatenate([SCALE, np.full(self.obs_dim - OBS_DIM, HUSHED)])

    @property
    def secret(self) -> int:
        """How many of the last elements of an observation only critics may see."""
        return 0 if self.believed is None else self.believed.secret

    def reset(
        self,
        ids: ArrayLike,
        task: ArrayLike,
        difficulty: ArrayLike,
        seed: ArrayLike,
        context: Context | None = None,
    ) -> None:
        """Put simulations `ids` at the start of the exercises (task, difficulty, seed).

        Args:
            ids: which simulations, (k,).
            task: indices into `tasks`, (k,).
            difficulty: (k,) in [0, 1].
            seed: (k,) non-negative integers.
            context: what these attempts hide, k rows; None: what the seed says.
        """
        ids, task, seed = (np.atleast_1d(np.asarray(x)) for x in (ids, task, seed))
        difficulty = np.atleast_1d(np.asarray(difficulty, dtype=np.float64))
        if not ((difficulty >= 0) & (difficulty <= 1)).all():
            raise InputError(f"difficulty must lie in [0, 1]; got {difficulty}")
        parts = np.cumsum([N_RANDOM, N_CONTEXT, self.chain.dof])
        size = parts[-1] + len(NAMES)
        u = np.stack([np.random.default_rng(int(s)).random(size) for s in seed])
        u_place, u_servo, u_start, u_context = np.split(u, parts, axis=1)
        hides = context is not None or self.ranges is not None
        if context is None:
            drawn = self.ranges and self.ranges.draw(u_context)
            context = drawn or Context.draw(u_servo, difficulty)

        noise = START_NOISE * (0.3 + 0.7 * difficulty)[:, None] * (2 * u_start - 1)
        q = np.clip(self.chain.home + noise, self.chain.lower, self.chain.upper)
        p_ee, R_ee = self.chain.fk(q)
        placement = Placement.empty(len(ids))
        for index in np.unique(task):
            rows = np.flatnonzero(task == index)
            placed = self.tasks[index].place(u_place[rows], difficulty[rows], p_ee[rows])
            placement.put(rows, placed)
        self.context.put(ids, context)
        if hides:
            self._telling.hide_camera(ids, context)
        placement = self.engine.reset(ids, q, placement, context)
        self._telling.reset(ids, context, self.told_goals[task], has_part(placement.fixture), seed)
        if self.believed is not None:
            self.believed.set(ids, 0.0, PRIOR)
        self.took[ids] = 0.0

        self.task[ids], self.difficulty[ids], self.steps[ids] = task, difficulty, 0
        self._rows = [np.flatnonzero(self.task == i) for i in range(len(self.tasks))]
        yaw_ee = tool_yaw(R_ee)
        self._command.reset(ids, q, yaw_ee)
        state = self.state
        state.half[ids], state.stretch[ids] = placement.half, placement.stretch
        state.fixture[ids], state.p_fixture[ids] = placement.fixture, placement.p_fixture
        state.yaw_fixture[ids] = placement.yaw_fixture
        state.fixture_size[ids] = placement.fixture_size
        self._telling.teach(ids, placement.p_goal, placement.yaw_goal, state)
        state.p_command[ids], state.yaw_command[ids] = p_ee, yaw_ee
        self._measure()
        state.v_ee[ids] = 0.0
        self._potential[ids] = self._goals_and_progress()[ids]
        self._obs = self.observe()

    def step(self, action: NDArray[np.floating]) -> StepResult:
        """One control step (50 ms) of every simulation.

        Args:
            action: (n, 5) in [-1, 1]: tool dx, dy, dz, dyaw and gripper (-1 shut, 1 open).

        Raises:
            InputError: if an action is not finite; nothing has moved then.
        """
        if not np.isfinite(action).all():
            row, column = np.argwhere(~np.isfinite(action))[0]
            raise InputError(
                f"action of simulation {row} is not finite in '{ACTION[column]}'; "
                "each element must be a number in [-1, 1]"
            )
        clipped = np.clip(action, -1.0, 1.0).astype(np.float64)
        q_target = self._command.follow(self.state, clipped)
        sent = self._command.delayed(q_target, clipped[:, 4], self.context.delay)
        if (taken := self.engine.drive(*sent)) is not None:
            clipped = self._command.retake(self.state, *taken)
        self.steps += 1
        before = self.state.p_ee
        self._measure()
        self.state.v_ee = (self.state.p_ee - before) * CONTROL_HZ
        astray = self.engine.astray()
        self.diverged += int((astray & ~self._astray).sum())
        self._astray = astray
        potential = np.where(astray, self._potential, self._goals_and_progress())

        holds = evaluate(self._telling.truth(self.state, slice(None)))
        wanted = self.descriptors[self.task]
        failed = (holds & (wanted == -1)).any(axis=1)
        success = (holds | (wanted != 1)).all(axis=1) & ~failed & ~astray
        terminated = (success | failed) & ~astray
        truncated = ((self.steps >= self.horizons[self.task]) | astray) & ~terminated
        # Potential-based shaping (Ng, Harada and Russell 1999): an ended attempt has potential
        # 0, so that shaping cannot change which policy is best.
        potential[terminated] = 0.0
        reward = success + SHAPING * (DISCOUNT * potential - self._potential)
        self._potential = potential
        self._obs = obs = self.observe()
        self.last, self.last_correction = obs[:, :OBS_DIM], self.correction.copy()
        self.won, self.took = success, clipped.astype(np.float32)
        self.last_took = self.took.copy()
        reward = reward.astype(np.float32)
        return StepResult(obs, reward, terminated, truncated, success, self.took.copy())

    def observe(self) -> NDArray[np.float32]:
        """Observations now, (n, OBS_DIM)."""
        left = 1.0 - self.steps / self.horizons[self.task]
        state = self._telling.noisy(self.state, self.steps, self.context.noise)
        obs = observe(state, self.descriptors[self.task], left)
        astray = self.engine.astray()
        obs[astray] = self._obs[astray, :OBS_DIM]  # the last that was sane
        if self.believed is None:
            return obs
        return np.concatenate([obs, self.believed.columns(self.context)], axis=1)

    def believe(self, ids: ArrayLike, mean: Array, spread: Array) -> None:
        """From now on simulations `ids` (k,) believe this of what is hidden, (k, c) each as in
        `Believed`: what cameras and targets are off by is taken from what is told.

        Raises:
            InputError: a number is not finite; nothing is changed.
        """
        assert self.believed is not None, "this world hides nothing"
        ids = np.atleast_1d(np.asarray(ids))
        self.believed.set(ids, mean, spread)
        correction = self.believed.correction(ids)
        told = self.told_goals[self.task[ids], None]
        correction[:, 3:] *= told  # a goal that is seen was not taught
        self._telling.correct(ids, correction, self.state)

    def expert_action(self) -> Array:
        """What each simulation's scripted expert would do now, (n, 5)."""
        action = self._by_task(lambda task, rows: task.expert(self.state.take(rows)), len(ACTION))
        action[self.engine.astray()] = 0.0  # until somebody resets it
        return action

    def told_potential(self) -> Array:
        """Each attempt's potential (n,) as far as it can be told: nobody knows the true one."""
        return self._by_task(lambda task, rows: task.progress(self.state.take(rows)))

    def _measure(self) -> None:
        """Read joints and objects, as they are told, into the state."""
        measure(self.state, self.chain, self.engine)
        self._telling.place(self.state)

    def _goals_and_progress(self) -> Array:
        """Move the goals that ride on objects; return each attempt's potential (n,).

        Goals are seen where objects are; the potential, like success, is judged from the truth.
        """

        def of(task: Task, rows: NDArray[np.int64]) -> Array:
            state = self.state.take(rows)
            state.p_goal = self.state.p_goal[rows] = task.goal(state)
            return task.progress(self._telling.truth(state, rows))

        return self._by_task(of)

    def _by_task(self, of: Callable[[Task, NDArray[np.int64]], Array], *shape: int) -> Array:
        """What is `of` each task and its simulations (k,), for all of them: (n, *shape)."""
        out = np.zeros((self.n, *shape))
        for task, rows in zip(self.tasks, self._rows, strict=True):
            if len(rows):
                out[rows] = of(task, rows)
        return out
