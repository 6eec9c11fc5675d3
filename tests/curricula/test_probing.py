"""Trials with probes: the attempts are what they would be without, and a probe counts for none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daytwo.curricula.attempts import EXAM
from daytwo.curricula.probing import Probing
from daytwo.curricula.trials import Trials, run_trials
from daytwo.sim.arms import load_arm
from daytwo.sim.context import Ranges
from daytwo.sim.probes import probes
from daytwo.sim.world import StepResult, World

RANGES = Ranges(mass=(0.5, 2.0), target_x=(-0.008, 0.008), delay=(0, 3))
TASKS = ("reach", "pick")
ARM = load_arm("panda")
MADE = probes(ARM)
TRIALS = Trials.drawn(RANGES, len(TASKS), 3, EXAM, 0)
WHICH = np.array([0, 1, 2, 3, 4, 0])


class Noting:
    """Acts as experts do, and notes what each attempt began with."""

    def __init__(self) -> None:
        self.begun: dict[tuple[int, int], list[float]] = {}

    def begin(self, world: World, ids: NDArray[np.int64], attempt: NDArray[np.int64]) -> None:
        for i, k in zip(ids, attempt, strict=True):
            context = world.context.take(np.array([i])).values[0].tolist()
            trial = np.flatnonzero(
                (TRIALS.context.values == context).all(axis=1) & (TRIALS.task == world.task[i])
            )
            self.begun[int(trial[0]), int(k)] = [*world.state.p_goal[i], *context]

    def __call__(self, world: World, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        return world.expert_action()


def ran(n: int, which: NDArray[np.int64] | None) -> tuple[NDArray[np.bool_], Noting, int, list]:
    """Success of one attempt each; what was begun, counted, and stepped by trial."""
    world, act = World(ARM, TASKS, n, threads=1, ranges=RANGES), Noting()
    counted: list[int] = []
    steps: list[tuple[int, NDArray[np.float32]]] = []

    def watch(
        at: NDArray[np.int64], _: object, action: NDArray[np.floating], result: StepResult
    ) -> None:
        steps.extend((int(trial), action[i]) for i, trial in enumerate(at) if trial >= 0)

    probing = None if which is None else Probing.given(MADE, n, which)
    success = run_trials(world, TRIALS, act, 1, watch, counted.append, probing)
    if probing is not None and which is not None:
        assert probing.made == {trial: MADE[i].name for trial, i in enumerate(which)}
    return success, act, sum(counted), steps


def test_attempts_are_the_same_after_a_probe_and_it_counts_for_none() -> None:
    plain, noted, counted, steps = ran(3, None)
    success, probed, counted_too, more = ran(3, WHICH)
    np.testing.assert_array_equal(plain, success)
    assert counted == counted_too == 6
    assert {key for key in probed.begun if key[1] == -1} == {(trial, -1) for trial in range(6)}
    for key, began in noted.begun.items():
        assert probed.begun[key] == began
    for trial in range(6):
        extra = sum(t == trial for t, _ in more) - sum(t == trial for t, _ in steps)
        lasts = MADE[WHICH[trial]].steps
        assert extra <= lasts
        assert (extra > 0) == (lasts > 0)
        probe, first = probed.begun[trial, -1], probed.begun[trial, 0]
        assert probe[:3] != first[:3], "attempt 1 is laid out anew"
        assert probe[3:] == first[3:], "under the same context"


def test_probes_go_the_same_way_in_any_batch() -> None:
    def by_trial(steps: list[tuple[int, NDArray[np.float32]]]) -> list[NDArray[np.float32]]:
        return [np.array([action for at, action in steps if at == trial]) for trial in range(6)]

    for few, many in zip(*(by_trial(ran(n, WHICH)[3]) for n in (3, 6)), strict=True):
        np.testing.assert_array_equal(few, many)
