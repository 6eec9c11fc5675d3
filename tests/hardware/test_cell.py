"""The cell: the world's own code over a driver, judged by the truth, stopped whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from daytwo.curricula.attempts import expert
from daytwo.errors import DriverError, InputError
from daytwo.hardware.cell import Attempt, Cell
from daytwo.hardware.driver import Reading
from daytwo.hardware.drivers.twin import TwinContext, TwinDriver
from daytwo.hardware.objects import Sighting
from daytwo.memory.episodes import Episode
from daytwo.memory.record import Record
from daytwo.sim.arms import load_arm
from daytwo.sim.observation import OBS_DIM, OBSERVATION
from daytwo.sim.world import World

TASKS = ("reach", "pick", "stack")
OFFSET = (0.03, -0.04, 0.0)


@pytest.fixture
def twin() -> Iterator[TwinDriver]:
    with TwinDriver(load_arm("panda")) as driver:
        yield driver


@pytest.fixture
def cell(twin: TwinDriver) -> Cell:
    return Cell(twin, twin, TASKS)


def still(world: World, observation: np.ndarray) -> np.ndarray:
    return np.zeros((1, 5))


def same(a: Attempt, b: Attempt) -> bool:
    return np.array_equal(a.observations, b.observations) and np.array_equal(a.sent, b.sent)


@pytest.mark.parametrize("task", TASKS)
def test_an_attempt_is_whole_and_fits_a_record(cell: Cell, task: str) -> None:
    made = cell.attempt(expert, task, 0.4, 11)
    steps, k = len(made), {"reach": 0, "pick": 1, "stack": 2}[task]
    assert made.success
    assert made.terminated
    assert made.observations.shape == (steps + 1, OBS_DIM)
    assert made.actions.shape == (steps, 5)
    assert made.sent.shape == (steps, 8)
    assert {name: track.shape for name, track in made.tracks.items()} == {
        "q": (steps + 1, 7),
        "opening": (steps + 1,),
        "p_ee": (steps + 1, 3),
        "p_object": (steps + 1, k, 3),
        "quat_object": (steps + 1, k, 4),
        "p_goal": (steps + 1, 3),
    }
    for name, track in made.tracks.items():  # each step its own row, not the last over and over
        rows = track.reshape(steps + 1, -1)
        assert name == "p_goal" or rows.size == 0 or np.ptp(rows, axis=0).max() > 0, name
    assert made.rewards[-1] > 0.5
    episode = Episode(
        made.observations, made.actions, made.rewards, made.terminated, made.success, task
    )
    record = Record(episode, arm="panda", driver="twin", sent=made.sent, tracks=made.tracks)
    assert len(record.episode) == steps


def test_the_observation_is_the_one_of_training(cell: Cell) -> None:
    world = World(load_arm("panda"), TASKS, 1)
    for task, name in enumerate(TASKS):
        first = cell.attempt(still, name, 0.8, 5).observations[0]
        world.reset(0, task, 0.8, 5)
        np.testing.assert_allclose(first, world.observe()[0], atol=1e-5)


def test_the_tracks_agree_with_what_the_policy_saw(cell: Cell, twin: TwinDriver) -> None:
    twin.context = TwinContext(pose_offset=OFFSET)
    for correction in ((0.0, 0.0, 0.0), (0.01, 0.02, 0.0)):
        made = cell.attempt(expert, "pick", 0.4, 11, correction=correction)
        seen = made.tracks["p_object"][:, 0] - np.float32(correction) - made.tracks["p_ee"]
        np.testing.assert_allclose(
            made.observations[:, OBSERVATION["ee_to_object0"]], seen, atol=1e-5
        )
        goal = made.tracks["p_goal"] - np.float32(correction) - made.tracks["p_ee"]
        np.testing.assert_allclose(made.observations[:, OBSERVATION["ee_to_goal"]], goal, atol=1e-5)
        apart = made.tracks["p_goal"] - made.tracks["p_object"][:, 0]
        np.testing.assert_allclose(
            made.observations[:, OBSERVATION["object_to_goal"]], apart, atol=1e-5
        )
        assert np.array_equal(
            made.observations[:, OBSERVATION["opening"]][:, 0], made.tracks["opening"]
        )


def test_success_is_judged_by_the_truth(cell: Cell, twin: TwinDriver) -> None:
    """The expert believes its camera: it stops where the goal seems to be, and has failed."""
    twin.context = TwinContext(pose_offset=OFFSET)
    made = cell.attempt(expert, "reach", 0.4, 3)
    there = np.linalg.norm(made.tracks["p_goal"][-1] - made.tracks["p_ee"][-1])
    assert there < 0.01
    assert not made.success
    assert not made.terminated
    # A goal that is met by accident counts, whatever is seen.
    true_goal = made.tracks["p_goal"][0] - np.float32(OFFSET)
    path = made.tracks["p_ee"]
    assert np.linalg.norm(path - true_goal, axis=1).min() > 0.02


@pytest.mark.parametrize("task", TASKS)
def test_the_right_correction_undoes_the_offset(cell: Cell, twin: TwinDriver, task: str) -> None:
    plain = cell.attempt(expert, task, 0.4, 3)
    twin.context = TwinContext(pose_offset=OFFSET)
    assert not cell.attempt(expert, task, 0.4, 3).success
    corrected = cell.attempt(expert, task, 0.4, 3, correction=OFFSET)
    assert corrected.success
    np.testing.assert_allclose(corrected.rewards, plain.rewards, atol=1e-4)
    np.testing.assert_allclose(
        corrected.tracks["p_goal"], plain.tracks["p_goal"] + np.float32(OFFSET), atol=1e-4
    )


def test_the_same_exercise_goes_the_same_way_to_the_bit(cell: Cell) -> None:
    first = cell.attempt(expert, "stack", 0.9, 8)
    cell.attempt(expert, "pick", 0.2, 1)
    assert same(first, cell.attempt(expert, "stack", 0.9, 8))
    assert not same(first, cell.attempt(expert, "stack", 0.9, 9))


def test_what_is_kept_as_sent_is_what_went_out(cell: Cell, twin: TwinDriver) -> None:
    went_out = []
    send = twin._send
    twin._send = lambda command: (went_out.append(command), send(command))[1]  # type: ignore[method-assign]
    made = cell.attempt(expert, "pick", 0.4, 2)
    np.testing.assert_array_equal(made.sent, np.array(went_out, dtype=np.float32))
    features = twin.features
    assert (made.sent[:, :-1] >= np.float32(features.lower)).all()
    assert (made.sent[:, :-1] <= np.float32(features.upper)).all()


def test_whoever_watches_sees_every_step(cell: Cell) -> None:
    seen = []
    made = cell.attempt(expert, "reach", 0.4, 2, watch=lambda *step: seen.append(step))
    assert len(seen) == len(made)
    for t, (observation, action, result) in enumerate(seen):
        assert np.array_equal(observation, made.observations[t])
        assert np.array_equal(action, made.actions[t])
        assert np.array_equal(result.obs[0], made.observations[t + 1])


def test_an_attempt_that_never_succeeds_ends_with_its_time(cell: Cell) -> None:
    made = cell.attempt(still, "pick", 0.5, 1)
    assert len(made) == cell.world.horizons[1]
    assert not made.success
    assert not made.terminated


def standing(twin: TwinDriver) -> bool:
    """Whether the arm holds still, whatever it was told last."""
    before = twin.read().q
    twin.sleep_until(twin.now() + 0.5)
    return bool(np.abs(twin.read().q - before).max() < 0.02)


def test_a_policy_that_breaks_leaves_the_arm_standing(cell: Cell, twin: TwinDriver) -> None:
    def breaks(world: World, observation: np.ndarray) -> np.ndarray:
        if world.steps[0] < 4:
            return np.ones((1, 5))
        return np.full((1, 5), np.nan)

    with pytest.raises(InputError, match="not finite"):
        cell.attempt(breaks, "pick", 0.5, 1)
    assert standing(twin)


class Fading(TwinDriver):
    """A twin whose second joint, or whose tracker, is not heard from 0.5 s until `back` [s]."""

    lost, back = "", np.inf

    def read(self) -> Reading:
        reading = super().read()
        if self.lost == "joint" and 0.5 < self.now() < self.back:
            reading.valid[1], reading.age_s[1] = False, self.now() - 0.5
        return reading

    def objects(self) -> Sighting:
        seen = super().objects()
        silent = self.lost == "object" and 0.5 < self.now() < self.back
        return replace(seen, age_s=seen.age_s + (self.now() - 0.5 if silent else 0.0))


def test_an_old_joint_ends_the_attempt_and_stops_the_arm() -> None:
    with Fading(load_arm("panda")) as twin:
        twin.lost = "joint"
        cell = Cell(twin, twin, TASKS)
        with pytest.raises(DriverError, match=r"joint .panda_joint2. was last measured 0\.2"):
            cell.attempt(lambda *_: np.ones((1, 5)), "pick", 0.5, 1)
        assert twin.now() == pytest.approx(0.7, abs=0.06)
        twin.lost = ""
        assert standing(twin)


def test_while_an_object_is_not_seen_the_arm_stands_and_no_step_passes() -> None:
    said: list[str] = []
    stood: list[np.ndarray] = []

    class Watched(Fading):
        def objects(self) -> Sighting:
            if self.now() > 1.0:  # it has come to rest by then
                stood.append(super().read().q)
            return super().objects()

    with Watched(load_arm("panda")) as twin:
        twin.lost, twin.back = "object", 3.0
        cell = Cell(twin, twin, TASKS, say=said.append)
        made = cell.attempt(lambda *_: np.ones((1, 5)), "pick", 0.5, 1)  # it would move
        steps = cell.world.horizons[1]
        assert len(made) == steps
        assert twin.now() == pytest.approx(steps / 20 + 2.3, abs=0.2)
    assert [text.split(" ago")[0].split(" after")[0] for text in said] == [
        "object 0 was last seen 0.15 s",
        "all objects are seen again",
    ]
    assert np.ptp(np.array(stood[:30]), axis=0).max() < 1e-3


def test_an_attempt_goes_on_to_its_success_after_a_pause(cell: Cell) -> None:
    said: list[str] = []
    with Fading(load_arm("panda")) as twin:
        twin.lost, twin.back = "object", 2.0
        made = Cell(twin, twin, TASKS, say=said.append).attempt(expert, "pick", 0.4, 11)
    assert len(said) == 2
    assert made.success


def test_an_object_that_is_not_seen_again_ends_the_attempt() -> None:
    with Fading(load_arm("panda")) as twin:
        twin.lost = "object"
        cell = Cell(twin, twin, TASKS, patience=1.0)
        match = "object 0 was last seen 1.*; the arm waited for 1 s"
        with pytest.raises(DriverError, match=match):
            cell.attempt(lambda *_: np.ones((1, 5)), "pick", 0.5, 1)
        assert twin.now() == pytest.approx(1.75, abs=0.1)
        twin.lost = ""
        assert standing(twin)


def test_a_joint_that_falls_silent_in_a_pause_ends_the_attempt() -> None:
    with Fading(load_arm("panda")) as twin:
        twin.lost = "object"
        cell = Cell(twin, twin, TASKS, say=lambda _: setattr(twin, "lost", "joint"))
        with pytest.raises(DriverError, match="joint 'panda_joint2'"):
            cell.attempt(still, "pick", 0.5, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "push"}, "task 'push' is none of this cell's: reach, pick, stack"),
        ({"difficulty": 1.5}, "difficulty"),
        ({"correction": (0.0, 0.0)}, "correction: .*; give 3 finite numbers"),
        ({"correction": (0.0, np.nan, 0.0)}, "correction: .*; give 3 finite numbers"),
    ],
)
def test_what_cannot_be_attempted_is_refused(cell: Cell, change: dict, message: str) -> None:
    exercise = {"task": "reach", "difficulty": 0.5, "seed": 1, **change}
    with pytest.raises(InputError, match=message):
        cell.attempt(expert, **exercise)


def test_an_attempt_needs_a_connection(twin: TwinDriver) -> None:
    cell = Cell(twin, twin, TASKS)
    twin.disconnect()
    with pytest.raises(InputError, match="not connected"):
        cell.attempt(expert, "reach", 0.5, 1)
