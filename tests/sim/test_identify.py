"""Identification: attempts under a hidden camera offset say what it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from daytwo.errors import InputError
from daytwo.sim.arms import load_arm
from daytwo.sim.belief import Belief
from daytwo.sim.identify import Identifier, Trace
from daytwo.sim.tasks.base import Placement
from daytwo.sim.world import World

HIDDEN = np.array([0.022, -0.018, 0.0])


def attempt(world: World, correction: np.ndarray, seed: int, hidden: np.ndarray = HIDDEN) -> Trace:
    """The expert at pick, who sees `correction` less of what is reported."""
    engine = world.engine
    engine.pose_offset = (hidden - correction)[None]
    world.reset(0, 0, 0.5, seed)
    placement = world.tasks[0].place(
        *_drawn(world, seed), world.chain.fk(engine.joints())[0]
    )  # as it is; reported further below
    grip: list[float] = []
    rows: list[dict[str, np.ndarray]] = []
    drive = engine.drive

    def note() -> None:
        p, quat, _ = engine.objects()
        seen = {"p_object": p[0, :1] + correction, "quat_object": quat[0, :1].copy()}
        rows.append({"q": engine.joints()[0], "opening": engine.opening()[0], **seen})

    def spy(q_target: np.ndarray, share: np.ndarray) -> None:
        grip.append(share[0])
        drive(q_target, share)

    engine.drive = spy  # type: ignore[method-assign]
    try:
        over = False
        note()
        while not over:
            result = world.step(world.expert_action())
            note()
            over = bool(result.terminated[0] or result.truncated[0])
    finally:
        engine.drive = drive  # type: ignore[method-assign]
    placement.p_object = placement.p_object + hidden
    placement.p_goal = placement.p_goal + hidden
    measured = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Trace(placement, grip=np.array(grip), **measured)


def beginning(trace: Trace, steps: int) -> Trace:
    names = ("q", "opening", "p_object", "quat_object")
    tracks = {name: getattr(trace, name)[: steps + 1] for name in names}
    return replace(trace, grip=trace.grip[:steps], **tracks)


def _drawn(world: World, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from daytwo.sim.tasks.base import N_RANDOM
    from daytwo.sim.world import N_CONTEXT

    size = N_RANDOM + N_CONTEXT + world.chain.dof
    u = np.random.default_rng(seed).random(size)[None, :N_RANDOM]
    return u, np.array([0.5])


@pytest.fixture(scope="module")
def world() -> World:
    return World(load_arm("panda"), ["pick"], 1)


@pytest.fixture(scope="module")
def identifier() -> Identifier:
    return Identifier(load_arm("panda"), guesses=256)


@pytest.fixture(scope="module")
def found(world: World, identifier: Identifier) -> list[Belief]:
    """Beliefs before and after each of three attempts."""
    beliefs = [Belief.prior(256)]
    for k in range(3):
        trace = attempt(world, beliefs[-1].offset, seed=50 + k)
        beliefs.append(identifier.update(beliefs[-1], trace, seed=k))
    return beliefs


def test_a_few_attempts_find_the_offset(found: list[Belief]) -> None:
    off = [np.linalg.norm((b.offset - HIDDEN)[:2]) for b in found]
    assert off[0] > 0.02
    assert off[-1] < 0.006, off


def test_the_belief_gets_surer(found: list[Belief]) -> None:
    assert found[-1].spread[:2].max() < 0.5 * found[0].spread[:2].max()


@pytest.mark.slow
def test_a_camera_that_was_bumped_is_found_again(
    world: World, identifier: Identifier, found: list[Belief]
) -> None:
    bumped, belief = np.array([-0.015, 0.018, 0.0]), found[-1]
    before = np.linalg.norm((belief.offset - bumped)[:2])
    for k in range(6):
        trace = attempt(world, belief.offset, seed=70 + k, hidden=bumped)
        belief = identifier.update(belief, trace, seed=k)
    assert np.linalg.norm((belief.offset - bumped)[:2]) < 0.008 < before


def test_a_right_guess_predicts_each_step(world: World) -> None:
    identifier = Identifier(load_arm("panda"), guesses=2)
    trace = attempt(world, HIDDEN, seed=50)
    guesses = HIDDEN + np.array([[0.0, 0.0, 0.0], [0.02, 0.02, 0.0]])
    off = np.linalg.norm(identifier.predict(guesses, trace) - trace.p_object[1:, None], axis=-1)
    moved = np.linalg.norm(np.diff(trace.p_object, axis=0), axis=-1)
    assert moved.max() > 0.015, "the cube was not lifted"
    assert np.median(off[:, 0]) < 0.001
    assert np.quantile(off[:, 0], 0.95) < 0.006
    assert off[:, 1].max() > 2 * off[:, 0].max()
    fit = identifier.fit(guesses, trace)
    assert fit[0] > fit[1] + 2


def test_a_belief_in_more_or_fewer_guesses_goes_on(
    world: World, identifier: Identifier, found: list[Belief]
) -> None:
    trace = beginning(attempt(world, found[-1].offset, seed=60), 20)
    later, again = (identifier.update(found[-1].of(30), trace, seed=7) for _ in range(2))
    assert np.array_equal(later.guesses, again.guesses)
    assert len(later.guesses) == 256
    assert np.linalg.norm((later.offset - HIDDEN)[:2]) < 0.006
    with pytest.raises(InputError, match="30 guesses; this identifier simulates 256"):
        identifier.fit(found[-1].of(30).guesses, trace)


def test_an_attempt_without_an_object_says_nothing(
    world: World, identifier: Identifier, found: list[Belief]
) -> None:
    trace = attempt(world, HIDDEN, seed=50)
    nothing = replace(trace, placement=Placement.empty(1))
    assert identifier.update(found[-1], nothing) is found[-1]


def test_a_guess_that_goes_astray_is_dropped_and_takes_no_other_along(
    identifier: Identifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(guesses: np.ndarray, trace: Trace) -> np.ndarray:
        p = np.zeros((9, len(guesses), 1, 3)) + guesses[:, None]
        p[:, guesses[:, 0] < 0] = np.nan
        return p

    monkeypatch.setattr(identifier, "predict", predict)
    placement = Placement.empty(1)
    placement.half[0, 0] = 0.02
    truth = np.array([0.02, 0.0, 0.0])
    seen = np.tile(truth, (10, 1, 1))
    trace = Trace(
        placement, np.zeros((10, 7)), np.zeros(10), np.zeros(9), seen, np.zeros((10, 1, 4))
    )
    belief = identifier.update(Belief.prior(256), trace)
    assert np.isfinite(belief.guesses).all()
    assert (belief.guesses[:, 0] > -0.005).mean() > 0.7
    assert np.linalg.norm(belief.offset - truth) < 0.01
