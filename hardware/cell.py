"""A cell: an arm behind its driver, the objects before it, and attempts at tasks.

The world's own code turns actions into joint targets, makes observations and judges them, so that
what a policy meets here is what it was trained on; only the physics is another's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from daytwo.errors import DriverError, InputError
from daytwo.hardware.approach import approach
from daytwo.hardware.driver import ArmDriver, Array, Reading
from daytwo.hardware.objects import ObjectSource
from daytwo.sim.context import Context
from daytwo.sim.engine import reported
from daytwo.sim.scene import CONTROL_HZ, N_OBJECTS
from daytwo.sim.tasks.base import Placement
from daytwo.sim.world import StepResult, World

OLDEST = 3.5 / CONTROL_HZ  # [s] a measurement may be: three control steps without one
# [s] likewise a sighting: at rest within half a second, the arm's own way to rest included
OLDEST_SEEN = 2.5 / CONTROL_HZ
PATIENCE = 30.0  # [s] the arm waits for objects to be seen again

Act = Callable[[World, NDArray[np.float32]], NDArray[np.floating]]
# Called after each step with the observation (o,) and action (a,) that led to it, and its outcome.
Watch = Callable[[NDArray[np.float32], NDArray[np.float32], StepResult], None]


@dataclass(frozen=True)
class Attempt:
    """One attempt of T steps."""

    observations: NDArray[np.float32]  # (T + 1, o)
    actions: NDArray[np.float32]  # (T, a) as they took effect: what the governor let through
    rewards: NDArray[np.float32]  # (T,)
    success: bool  # judged by the truth, where it is known
    terminated: bool  # False where the time was up
    placement: Placement  # how the exercise was laid out, one row, as it was reported
    sent: NDArray[np.float32]  # (T, dof + 1) joints [rad], gripper 0..1: what went out last
    requested: NDArray[np.float32]  # (T, dof + 1) likewise: what the policy asked for
    tracks: Mapping[str, NDArray[np.float32]]
    # measured: q (T + 1, dof) [rad], opening (T + 1,) [m], p_ee (T + 1, 3) [m];
    # as reported, k objects: p_object (T + 1, k, 3), quat_object (T + 1, k, 4) wxyz,
    # p_goal (T + 1, 3)

    def __len__(self) -> int:
        return len(self.actions)


def _go_on() -> None:
    pass


class DriverEngine:
    """One driver and its objects as an engine of the world, n = 1.

    Reported positions are corrected before anybody sees them by what the camera is believed to
    add. Where the truth is known it judges; elsewhere what is seen does. While an object is not
    seen the arm stands, and the time does not count.
    """

    n_objects = N_OBJECTS

    def __init__(
        self,
        driver: ArmDriver,
        source: ObjectSource,
        say: Callable[[str], None] = lambda _: None,
        patience: float = PATIENCE,
    ) -> None:
        self.driver, self.source = driver, source
        self._say, self._patience = say, patience
        self.placement = Placement.empty(1)  # as it was reported
        self.correction = np.zeros(3)  # [m] believed offset of what is reported
        self.go_on: Callable[[], None] = _go_on
        # The last command as it was asked for and as it went out last, (dof + 1,).
        self.requested = self.sent = np.zeros(0)

    @property
    def pose_offset(self) -> Array:
        known = self.source.pose_offset
        return np.zeros((1, 3)) if known is None else (known - self.correction)[None]

    def reset(
        self, ids: NDArray[np.int64], q: Array, placement: Placement, context: Context
    ) -> Placement:
        if not self.source.places_arm:
            approach(self.driver, q[0], self.go_on)
        self.go_on()
        self.placement = seen = self.source.begin(q[0], placement)
        self._due = self.driver.now()
        self._measure()
        return reported(seen, -self.correction[None])

    def drive(self, q_target: Array, grip: Array) -> tuple[Array, Array] | None:
        self.go_on()
        self.requested = np.append(q_target[0], grip[0])
        self.driver.command(q_target[0], float(grip[0]))
        # The next step is due one period after the last; a late one does not hurry the others.
        self._due = max(self._due + 1.0 / CONTROL_HZ, self.driver.now())
        self.driver.sleep_until(self._due)
        self._measure()
        goal, sent = self.driver.goal, self.driver.sent
        if goal is None or sent is None:
            raise DriverError("nothing is sent to the arm any more: it fell silent and was stopped")
        self.sent = sent
        if np.allclose(goal, self.requested, rtol=0, atol=1e-6):
            return None
        return goal[None, :-1], goal[-1:]

    def joints(self) -> Array:
        return self._reading.q[None]

    def opening(self) -> Array:
        return np.array([self._reading.opening])

    def objects(self) -> tuple[Array, Array, Array]:
        seen = self._sighting
        return (seen.p - self.correction)[None], seen.quat[None], seen.v[None]

    def astray(self) -> NDArray[np.bool_]:
        return np.zeros(1, dtype=bool)

    def _measure(self) -> None:
        self._reading = self._read()
        self._sighting = self.source.objects()
        if late := self._late():
            self._pause(late)

    def _read(self) -> Reading:
        """The joints as they are measured now."""
        reading = self.driver.read()
        i = int(reading.age_s.argmax())
        if reading.age_s[i] > OLDEST:
            name = (*self.driver.features.joints, "gripper")[i]
            raise DriverError(
                f"joint '{name}' was last measured {reading.age_s[i]:.2f} s ago; at most "
                f"{OLDEST:.2f} s are accepted"
            )
        return reading

    def _late(self) -> str:
        """Which object was not seen for too long, "" if none."""
        ages = self._sighting.age_s
        i = int(ages.argmax()) if len(ages) else 0
        if not len(ages) or ages[i] <= OLDEST_SEEN:
            return ""
        limit = f"at most {OLDEST_SEEN:.3f} s are accepted"
        return f"object {i} was last seen {ages[i]:.2f} s ago; {limit}"

    def _pause(self, late: str) -> None:
        """Stand until every object is seen again.

        Raises:
            DriverError: one was not within the patience; or a joint fell silent meanwhile.
        """
        self.driver.stop()
        self._say(f"{late}: the arm waits")
        began = self.driver.now()
        while late:
            self.go_on()
            if self.driver.now() - began > self._patience:
                raise DriverError(f"{late}; the arm waited for {self._patience:.0f} s")
            self.driver.sleep_until(self.driver.now() + 1.0 / CONTROL_HZ)
            self._reading = self._read()
            self._sighting = self.source.objects()
            late = self._late()
        self._due = self.driver.now()
        self._say(f"all objects are seen again after {self._due - began:.1f} s")


class Cell:
    """Where a policy attempts tasks through a driver.

    Args:
        driver: the arm; connected by the caller.
        source: of the objects; the twin is its own.
        tasks: names of the tasks that may be attempted.
        say: told when an attempt pauses because an object is not seen, and when it goes on.
        patience: [s] such a pause may last.
    """

    def __init__(
        self,
        driver: ArmDriver,
        source: ObjectSource,
        tasks: Sequence[str],
        say: Callable[[str], None] = lambda _: None,
        patience: float = PATIENCE,
    ) -> None:
        self.driver = driver
        self._engine = DriverEngine(driver, source, say, patience)
        self.world = World(driver.arm, tasks, 1, engine=self._engine)

    def attempt(
        self,
        act: Act,
        task: str,
        difficulty: float,
        seed: int,
        correction: ArrayLike = (0.0, 0.0, 0.0),
        watch: Watch | None = None,
        go_on: Callable[[], None] = _go_on,
    ) -> Attempt:
        """Attempt the exercise (task, difficulty, seed); the arm stands still afterwards.

        Args:
            act: actions (1, a) from the world and observations (1, o).
            task: one of the cell's.
            difficulty: in [0, 1].
            seed: non-negative.
            correction: (3,) [m], taken off every reported object and goal position.
            watch: sees every step.
            go_on: called before every command, and while the arm waits; what it raises ends the
                attempt, and the arm stops.

        Raises:
            InputError: for an unknown task or a wrong number; from `act`, a non-finite action.
            DriverError: if the arm fell silent, or the tracker for longer than the patience.
        """
        world, engine = self.world, self._engine
        names = [each.name for each in world.tasks]
        if task not in names:
            raise InputError(f"task '{task}' is none of this cell's: {', '.join(names)}")
        offset = np.asarray(correction, dtype=np.float64)
        if offset.shape != (3,) or not np.isfinite(offset).all():
            raise InputError(f"correction: {correction!r}; give 3 finite numbers [m]")
        engine.correction, engine.go_on = offset, go_on
        index = names.index(task)
        observations, actions, rewards, sent, requested = [], [], [], [], []
        try:
            world.reset(0, index, difficulty, seed)
            observations.append(world.observe()[0])
            rows = [self._track(index)]
            over = False
            while not over:
                action = np.asarray(act(world, observations[-1][None]), dtype=np.float32)
                result = world.step(action)
                if watch is not None:
                    watch(observations[-1], result.action[0], result)
                observations.append(result.obs[0])
                actions.append(result.action[0])
                rewards.append(result.reward[0])
                sent.append(engine.sent)
                requested.append(engine.requested)
                rows.append(self._track(index))
                over = bool(result.terminated[0] or result.truncated[0])
        finally:
            self.driver.stop()
        return Attempt(
            observations=np.array(observations),
            actions=np.array(actions),
            rewards=np.array(rewards),
            success=bool(result.success[0]),
            terminated=bool(result.terminated[0]),
            placement=engine.placement,
            sent=np.array(sent, dtype=np.float32),
            requested=np.array(requested, dtype=np.float32),
            tracks={
                name: np.array([row[name] for row in rows], dtype=np.float32) for name in rows[0]
            },
        )

    def _track(self, task: int) -> dict[str, Array]:
        """What is measured and reported now."""
        state, engine = self.world.state, self._engine
        k = self.world.tasks[task].n_objects
        return {
            "q": engine.joints()[0],
            "opening": engine.opening()[0],
            "p_ee": state.p_ee[0].copy(),
            "p_object": state.p_object[0, :k] + engine.correction,
            "quat_object": engine.objects()[1][0, :k],
            "p_goal": state.p_goal[0] + engine.correction,
        }
