"""Identification: attempts under a hidden camera offset say what it is."""

from __future__ import annotations

import numpy as np
import pytest

from daytwo.errors import InputError
from daytwo.sim.arms import load_arm
from daytwo.sim.identify import NAMES, SPREAD, Belief, Identifier, Trace
from daytwo.sim.tasks.base import Placement
from daytwo.sim.world import World

HIDDEN = np.array([0.022, -0.018, 0.0])


def attempt(world: World, correction: np.ndarray, seed: int) -> Trace:
    """The expert at pick, who sees `correction` less of what is reported."""
    world.engine.pose_offset = (HIDDEN - correction)[None]
    world.reset(0, 0, 0.5, seed)
    state, q = world.state, world.engine.joints()[0]
    placement = world.tasks[0].place(
        *_drawn(world, seed), world.chain.fk(q[None])[0]
    )  # as it is; reported further below
    sent, seen, opening = [], [state.p_object[0, :1] + correction], [state.opening[0]]
    drive = world.engine.drive

    def spy(q_target: np.ndarray, grip: np.ndarray) -> None:
        sent.append(np.append(q_target[0], grip[0]))
        drive(q_target, grip)

    world.engine.drive = spy  # type: ignore[method-assign]
    try:
        over = False
        while not over:
            result = world.step(world.expert_action())
            seen.append(state.p_object[0, :1] + correction)
            opening.append(state.opening[0])
            over = bool(result.terminated[0] or result.truncated[0])
    finally:
        world.engine.drive = drive  # type: ignore[method-assign]
    placement.p_object = placement.p_object + HIDDEN
    placement.p_goal = placement.p_goal + HIDDEN
    return Trace(placement, q, np.array(sent), np.array(seen), np.array(opening))


def _drawn(world: World, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from daytwo.sim.tasks.base import N_RANDOM
    from daytwo.sim.world import N_CONTEXT

    size = N_RANDOM + N_CONTEXT + world.chain.dof
    u = np.random.default_rng(seed).random(size)[None, :N_RANDOM]
    return u, np.array([0.5])


@pytest.fixture(scope="module")
def found() -> list[Belief]:
    """Beliefs before and after each of three attempts."""
    arm = load_arm("panda")
    world, identifier = World(arm, ["pick"], 1), Identifier(arm, particles=64, n_objects=2)
    beliefs = [Belief.prior(64)]
    for k in range(3):
        trace = attempt(world, beliefs[-1].offset, seed=50 + k)
        beliefs.append(identifier.update(beliefs[-1], trace, seed=k))
        if k == 0:
            again = identifier.update(beliefs[0], trace, seed=0)
            assert np.array_equal(again.guesses, beliefs[1].guesses)
    return beliefs


def test_a_few_attempts_find_the_offset(found: list[Belief]) -> None:
    off = [np.linalg.norm((b.offset - HIDDEN)[:2]) for b in found]
    assert off[0] > 0.02
    assert off[-1] < 0.006, off


def test_the_belief_gets_surer(found: list[Belief]) -> None:
    assert found[-1].spread[:2].max() < 0.5 * found[0].spread[:2].max()


def test_nothing_is_believed_before_the_first_attempt() -> None:
    prior = Belief.prior()
    assert np.allclose(prior.mean, 0)
    assert np.allclose(prior.offset, 0)
    assert np.allclose(prior.spread, SPREAD, rtol=0.3)


def test_a_night_makes_it_less_sure_but_does_not_forget(found: list[Belief]) -> None:
    morning = found[-1].overnight(0.1, seed=1)
    assert morning.spread[0] > found[-1].spread[0]
    assert np.linalg.norm((morning.offset - found[-1].offset)[:2]) < 0.004


def test_bad_beliefs_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="expected"):
        Belief(np.zeros((4, 2)))
    bad = np.zeros((4, len(NAMES)))
    bad[2, 1] = np.nan
    with pytest.raises(InputError, match="offset_y of guess 2"):
        Belief(bad)


def test_a_belief_of_another_size_is_refused() -> None:
    trace = Trace(Placement.empty(1), *(np.zeros((1, 1)) for _ in range(4)))
    identifier = Identifier(load_arm("panda"), particles=8, threads=1)
    with pytest.raises(InputError, match="6 guesses; this identifier simulates 8"):
        identifier.update(Belief.prior(6), trace)


def test_a_guess_that_goes_astray_is_dropped_and_takes_no_other_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def simulate(guesses: np.ndarray, trace: Trace) -> tuple[np.ndarray, np.ndarray]:
        p = np.zeros((3, len(guesses), 1, 3)) + guesses[:, None, :3]
        p[:, guesses[:, 0] < 0] = np.nan
        return p, np.where(np.isnan(p[..., 0, 0]), np.nan, 0.04)

    identifier = Identifier(load_arm("panda"), particles=64, n_objects=1)
    monkeypatch.setattr(identifier, "simulate", simulate)
    placement = Placement.empty(1)
    placement.half[0, 0] = 0.02
    truth = np.array([0.02, 0.0, 0.0])
    trace = Trace(
        placement, np.zeros(7), np.zeros((3, 8)), np.tile(truth, (4, 1, 1)), np.full(4, 0.04)
    )
    belief = identifier.update(Belief.prior(64), trace)
    assert np.isfinite(belief.guesses).all()
    assert len(np.unique(belief.guesses[:, 0])) == 64
    assert (belief.guesses[:, 0] > -0.005).mean() > 0.9
    assert np.linalg.norm(belief.offset - truth) < 0.01
