"""Beliefs about hidden conditions: what is told of them, taken off, blurred and refused."""

from __future__ import annotations

import numpy as np
import pytest

from daytwo.errors import InputError
from daytwo.sim.arms import load_arm
from daytwo.sim.believed import OFFSETS, PRIOR, SUREST, Believed, Blur
from daytwo.sim.context import Context, Ranges
from daytwo.sim.observation import OBS_DIM, OBSERVATION, uncorrected
from daytwo.sim.world import World

ARM = load_arm("panda")
RANGES = Ranges(
    mass=(0.5, 2.0), camera_x=(-0.01, 0.01), target_x=(-0.008, 0.008), target_y=(-0.008, 0.008)
)
HERE = np.array([0])


def world(task: str = "place") -> World:
    """One simulation whose camera and target are off."""
    made = World(ARM, [task], 1, threads=1, ranges=RANGES)
    context = Context.nominal(1, camera_x=np.array([0.01]), target_x=np.array([-0.008]))
    made.reset(HERE, [0], [0.5], [5], context)
    return made


def plain(task: str = "place") -> np.ndarray:
    """What is told where nothing is off."""
    made = World(ARM, [task], 1, threads=1, ranges=RANGES)
    made.reset(HERE, [0], [0.5], [5], Context.nominal(1))
    return made.observe()[0]


def test_what_is_off_is_told_wrong_and_judged_right() -> None:
    seen, right = world().observe()[0], plain()
    at = OBSERVATION
    off = seen - right
    np.testing.assert_allclose(off[at["ee_to_object0"]], (0.01, 0, 0), atol=1e-6)
    np.testing.assert_allclose(off[at["ee_to_goal"]], (0.002, 0, 0), atol=1e-6)
    np.testing.assert_allclose(off[at["object_to_goal"]], (-0.008, 0, 0), atol=1e-6)
    wrong = world()
    assert wrong._potential == pytest.approx(World._goals_and_progress(wrong))
    straight = World(ARM, ["place"], 1, threads=1, ranges=RANGES)
    straight.reset(HERE, [0], [0.5], [5], Context.nominal(1))
    np.testing.assert_allclose(wrong._potential, straight._potential, atol=1e-9)


def test_who_believes_the_truth_sees_what_is_right() -> None:
    made = world()
    assert made.believed is not None
    truth = made.believed.scaled(made.context)
    made.believe(HERE, truth, np.full_like(truth, SUREST))
    np.testing.assert_allclose(made.observe()[0, :OBS_DIM], plain()[:OBS_DIM], atol=1e-6)
    for _ in range(3):
        made.step(np.full((1, 5), 0.2))
    other = World(ARM, ["place"], 1, threads=1, ranges=RANGES)
    other.reset(HERE, [0], [0.5], [5], Context.nominal(1))
    for _ in range(3):
        other.step(np.full((1, 5), 0.2))
    np.testing.assert_allclose(made.observe()[0, :OBS_DIM], other.observe()[0, :OBS_DIM], atol=1e-6)


def test_what_lies_beyond_what_was_studied_is_told_as_its_end() -> None:
    made = world()
    assert made.believed is not None
    mean = np.where(np.isin(made.believed.names, OFFSETS), 1.5, -1.5)[None]
    made.believe(HERE, mean, np.full_like(mean, 0.2))
    assert made.observe()[0, OBS_DIM] == -1.0  # the mass, which is told as it is
    assert made.believed.mean[0].tolist() == mean[0].tolist()  # the offsets are taken off in full


TURNED = RANGES.model_copy(update={"target_yaw": (-0.06, 0.06)})


@pytest.mark.parametrize("task", ["place", "unstack", "insert", "press", "open", "stow"])
def test_what_was_told_can_be_had_back(task: str) -> None:
    made = World(ARM, [task], 1, threads=1, ranges=TURNED)
    made.reset(HERE, [0], [0.5], [5])
    told = made.observe()
    rng = np.random.default_rng(0)
    for _ in range(3):
        made.believe(HERE, rng.uniform(-1, 1, (1, 5)), np.full((1, 5), 0.2))
        np.testing.assert_allclose(
            uncorrected(made.observe(), made.correction), told[:, :OBS_DIM], atol=1e-6
        )


@pytest.mark.parametrize("task", ["stack", "open", "close", "stow"])
def test_a_goal_that_rides_on_what_is_seen_was_not_taught(task: str) -> None:
    made, right = world(task), plain(task)
    for _ in range(2):
        seen = made.observe()[0]
        for name in ("object_to_goal", "goal_yaw_error"):
            at = OBSERVATION[name]
            np.testing.assert_allclose(seen[at], right[at], atol=1e-6)
        apart = seen[OBSERVATION["ee_to_goal"]] - seen[OBSERVATION["ee_to_object1"]]
        was = right[OBSERVATION["ee_to_goal"]] - right[OBSERVATION["ee_to_object1"]]
        np.testing.assert_allclose(apart, was, atol=1e-6)
        made.believe(HERE, np.full((1, 4), 0.7), np.full((1, 4), 0.2))


def test_where_a_button_is_taught_nothing_in_sight_tells_by_how_much_it_is_off() -> None:
    """Told or not, by a camera that is right: only where goal and cap seem to be is moved."""
    told = []
    for off in (0.0, 1.0):
        made = World(ARM, ["press"], 1, threads=1, ranges=TURNED)
        hidden = {
            "target_x": np.array([0.008 * off]),
            "target_y": np.array([-0.005 * off]),
            "target_yaw": np.array([0.05 * off]),
        }
        made.reset(HERE, [0], [0.5], [5], Context.nominal(1, **hidden))
        told.append(made.observe()[0, :OBS_DIM])
    at = OBSERVATION
    off = told[1] - told[0]
    for name in ("ee_to_goal", "ee_to_object1"):
        np.testing.assert_allclose(off[at[name]], (0.008, -0.005, 0), atol=1e-6)
    for name in ("goal_yaw_error", "grasp_yaw_error1"):
        np.testing.assert_allclose(off[at[name]], 0.05, atol=1e-6)
    for name in ("ee_to_goal", "ee_to_object1", "goal_yaw_error", "grasp_yaw_error1"):
        off[at[name]] = 0.0
    np.testing.assert_allclose(off, 0.0, atol=1e-6)


def test_critics_are_told_what_is_true_at_the_end_of_an_observation() -> None:
    made = world()
    believed = made.believed
    assert believed is not None
    assert believed.secret == 4
    assert made.observe().shape == (1, made.obs_dim)
    secret = made.observe()[0, -4:]
    np.testing.assert_allclose(secret, believed.scaled(made.context)[0], atol=1e-6)
    truth = believed.scaled(made.context)
    made.believe(HERE, truth, np.full_like(truth, SUREST))
    left = made.observe()[0, -4:]
    np.testing.assert_allclose(left, np.where(np.arange(4) == 0, secret, 0.0), atol=1e-6)


def test_a_reset_forgets_the_belief() -> None:
    made = world()
    made.believe(HERE, np.full((1, 4), 0.7), np.full((1, 4), 0.2))
    made.reset(HERE, [0], [0.5], [5])
    assert made.believed is not None
    assert (made.believed.mean == 0).all()
    assert (made.believed.spread == PRIOR).all()
    assert (made.correction == 0).all()


@pytest.mark.parametrize(
    ("mean", "spread", "told"),
    [
        (np.nan, 0.1, "mean of mass is nan"),
        (0.0, np.nan, "spread of mass is nan"),
        (0.0, 0.0, "spread of mass is 0"),
        (np.inf, 0.1, "mean of mass is inf"),
    ],
)
def test_a_belief_that_is_none_is_refused_by_name_and_nothing_changes(
    mean: float, spread: float, told: str
) -> None:
    made = world()
    before = made.observe()
    with pytest.raises(InputError, match=told):
        made.believe(HERE, np.full((1, 4), mean), np.full((1, 4), spread))
    np.testing.assert_array_equal(made.observe(), before)


def test_ranges_without_extent_are_no_belief() -> None:
    with pytest.raises(InputError, match="every range is a point"):
        Believed(Ranges(), 1)


def test_blurred_beliefs_are_as_far_off_as_they_say() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(0, PRIOR, (20_000, 3))
    mean, spread = Blur(0).of(truth)
    off = (truth - mean) / spread
    assert off.mean() == pytest.approx(0, abs=0.02)
    assert off.std() == pytest.approx(1, abs=0.03)
    for low, high in ((SUREST, 0.1), (0.1, 0.3), (0.3, 0.6)):
        some = (spread >= low) & (spread < high)
        assert some.mean() > 0.05, "every degree of sureness is met"
        assert 0.9 < off[some].std() < 1.1


def test_wavering_leaves_most_offsets_alone() -> None:
    n = 4000
    made = World(ARM, ["reach"], 64, threads=1, ranges=RANGES)
    blur = Blur(0)
    blur(made, np.arange(64))
    assert made.believed is not None
    changed = np.zeros(4)
    for _ in range(n // 64):
        before = made.believed.mean.copy()
        blur.waver(made)
        changed += (made.believed.mean != before).sum(axis=0)
    mass, *offsets = changed / n
    assert mass == pytest.approx(0.91, abs=0.05)  # not where nothing is known, twice
    assert max(offsets) < 0.03
