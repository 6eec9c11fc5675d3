"""The governor's guarantees, by their numbers in docs/safety.md; its clock is the test's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from daytwo.errors import InputError
from daytwo.hardware.driver import Features, Health, Reading
from daytwo.hardware.emulators.lag import LagArm
from daytwo.hardware.governor import Command, Decision, Governor, State
from daytwo.sim.arms import load_arm
from daytwo.sim.kinematics import Chain
from daytwo.sim.rates import Rates

ARM = load_arm("panda")
HOME = np.asarray(ARM.home)
LOW, HIGH = np.asarray(ARM.lower), np.asarray(ARM.upper)
DT = 0.01


class Rig:
    """A governor, an arm that goes where it is sent, and a clock."""

    def __init__(self, q: np.ndarray = HOME, features: Features | None = None) -> None:
        self.governor, self.now = Governor(ARM, features=features), 100.0
        self.q, self.opening = q.copy(), ARM.gripper.max_opening
        self.sent: list[np.ndarray] = []
        self.spoil: Callable[[Reading], Reading | None] = lambda reading: reading
        self.governor.start(self.read(), self.now)
        self.session = self.governor.open(self.now)
        self.sequence = 0

    def read(self) -> Reading:
        n = len(self.q) + 1
        return Reading(
            self.q.copy(), np.zeros(n - 1), self.opening, np.ones(n, bool), np.zeros(n), self.now
        )

    def tick(self, periods: int = 1, dt: float = DT) -> Decision:
        for _ in range(periods):
            self.now += dt
            decision = self.governor.tick(self.spoil(self.read()), self.now)
            if decision.sent is not None:
                self.sent.append(decision.sent)
                self.q = decision.sent[:-1]
                self.opening = decision.sent[-1] * ARM.gripper.max_opening
        return decision

    def ask(self, q: np.ndarray, gripper: float = 1.0, **changes: object) -> str:
        self.sequence += 1
        command = Command(self.session, self.sequence, self.now, np.asarray(q), gripper)
        return self.governor.command(replace(command, **changes), self.now)  # type: ignore[arg-type]

    def go(self, q: np.ndarray, seconds: float) -> Decision:
        """Ask for the same at 20 Hz."""
        for _ in range(int(seconds * 20)):
            assert self.ask(q) == ""
            decision = self.tick(5)
        return decision


@pytest.fixture
def rig() -> Rig:
    return Rig()


def near(q: np.ndarray, by: float = 0.1) -> np.ndarray:
    """The wrist turned."""
    return q + by * np.array([0, 0, 0, 0, 0, 0, 1.0])


def test_it_follows(rig: Rig) -> None:
    decision = rig.go(near(HOME), 1.0)
    assert np.allclose(decision.sent, [*near(HOME), 1.0])
    assert decision.state is State.FOLLOW


@settings(deadline=None, max_examples=50)
@given(npst.arrays(float, 8, elements=st.sampled_from([0.0, np.nan, np.inf, -np.inf, 1e300])))
def test_g1_what_is_not_finite_is_refused_whole(values: np.ndarray) -> None:
    rig = Rig()
    refused = rig.ask(values[:-1], values[-1])
    finite = np.isfinite(values).all()
    assert finite or "is not finite" in refused
    decision = rig.tick(20)
    assert np.isfinite(decision.sent).all()
    if refused:
        assert np.array_equal(decision.sent, [*HOME, 1.0])


def test_g1_of_another_size_is_refused(rig: Rig) -> None:
    assert "6 joints; the arm has 7" in rig.ask(HOME[:6])
    assert rig.tick().state is State.HOLD


@settings(deadline=None, max_examples=25)
@given(npst.arrays(float, 7, elements=st.floats(-20, 20)))
def test_g2_limits_and_their_margin(asked: np.ndarray) -> None:
    rig = Rig()
    for _ in range(10):
        rig.ask(asked)
        rig.tick(5)
    x = np.array(rig.sent)[:, :-1]
    assert (x >= LOW + 0.05 - 1e-9).all()
    assert (x <= HIGH - 0.05 + 1e-9).all()


def test_g2_from_outside_only_inwards() -> None:
    q = HOME.copy()
    q[6] = HIGH[6] - 0.01  # within the margin
    rig = Rig(q)
    further = q.copy()
    further[6] = HIGH[6] + 1.0
    assert rig.go(further, 0.5).sent[6] == pytest.approx(q[6])  # type: ignore[index]
    rig.go(HOME, 2.0)
    assert rig.go(further, 3.0).sent[6] == pytest.approx(HIGH[6] - 0.05)  # type: ignore[index]


def test_g2_what_a_driver_can_is_a_limit_too() -> None:
    able = LagArm(ARM).features
    wider = replace(able, lower=(-99.0,) * 7, upper=(*ARM.upper[:6], HOME[6] + 0.3))
    rig = Rig(features=wider)
    for _ in range(20):
        rig.ask(near(HOME, 2.0))
        rig.tick(5)
    assert rig.sent[-1][6] == pytest.approx(HOME[6] + 0.25)
    rig.ask(near(HOME, -9.0))
    assert rig.governor.goal[6] == pytest.approx(LOW[6] + 0.05), "the arm's own hold beside it"
    narrow = replace(able, upper=(*ARM.upper[:6], ARM.lower[6] + 0.09))
    with pytest.raises(InputError, match=r"'panda_joint7': may be at .* calibrate the arm again"):
        Governor(ARM, features=narrow)


def test_g3_rates_from_the_last_sent_state(rig: Rig) -> None:
    rng, rates = np.random.default_rng(0), Rates.of(ARM)
    for _ in range(100):
        rig.ask(HOME + rng.uniform(-0.4, 0.4, 7), float(rng.integers(2)))
        rig.tick(int(rng.integers(1, 20)))
    x = np.array(rig.sent)
    v = np.diff(x, axis=0) / DT
    a = np.diff(v, axis=0) / DT
    j = np.diff(a, axis=0) / DT
    for found, limit in ((v, rates.velocity), (a, rates.acceleration), (j, rates.jerk)):
        assert (np.abs(found) <= limit * (1 + 1e-6)).all()
    assert np.abs(v[:, :-1]).max() > 0.5


def test_g4_nothing_below_the_table_and_the_tool_in_its_box(rig: Rig) -> None:
    """Whatever is asked: the places gone to, by the URDF's own kinematics."""
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        rig.session = rig.session if rig.ask(HOME) == "" else rig.governor.open(rig.now)
        refused += bool(rig.ask(rig.sent[-1][:-1] + rng.normal(0, 0.2, 7) if rig.sent else HOME))
        rig.tick(20)
        q = dict(zip(ARM.joints, rig.sent[-1][:-1], strict=True))
        T = ARM.robot.pose(ARM.base_link, ARM.tool_frame, q)
        for p, (low, high) in zip(T[:3, 3], ARM.workspace, strict=True):
            assert low - 0.05 <= p <= high + 0.05
        assert T[2, 3] >= ARM.workspace[2][0] - 0.01
    assert 20 < refused < 380


@pytest.mark.parametrize(("joint", "at"), [(3, LOW[3] - 0.04), (5, HIGH[5] + 0.04)])
def test_g4_of_a_joint_outside_its_limits_the_place_it_keeps_is_looked_at(
    joint: int, at: float
) -> None:
    rng, chain = np.random.default_rng(0), Chain(ARM)
    low, high = np.add(np.transpose(ARM.workspace), [[-0.05, -0.05, -0.01], [0.05, 0.05, 0.05]])
    starts = rng.uniform(LOW + 0.1, HIGH - 0.1, (20_000, 7))
    starts[:, joint] = at
    links = chain.points(starts)
    within = ((links[:, -1] > low) & (links[:, -1] < high)).all(axis=1)
    inside = within & (links[:, :, 2].min(axis=1) > 0)
    taken = 0
    for q in starts[inside][:20]:
        rig = Rig(q)
        for _ in range(30):
            asked = q + rng.normal(0, 0.3, 7)
            asked[joint] = at
            if rig.ask(asked) == "":
                taken += 1
                tool = chain.points(rig.governor.goal[None, :-1])[0, -1]
                assert (tool > low - 2e-6).all()
                assert (tool < high + 2e-6).all()
    assert taken > 100


def test_g4_says_where_it_would_be(rig: Rig) -> None:
    chain = Chain(ARM)
    p, R = chain.fk(HOME[None])

    def there(x: float, y: float, z: float) -> np.ndarray:
        return chain.solve(HOME[None], np.array([[x, y, z]]), R)[0]

    assert "the tool's y would be 0.5" in rig.ask(there(0.4, 0.5, 0.2))
    assert "the tool's z would be 0.0" in rig.ask(there(p[0, 0], 0.0, 0.0))
    assert "link 7 would be" in rig.ask(there(p[0, 0], 0.0, -0.05))
    assert rig.tick(20).state is State.HOLD


def test_g5_without_commands_it_stops_and_holds(rig: Rig) -> None:
    rig.ask(near(HOME, 1.0))
    assert rig.tick(9).state is State.FOLLOW
    assert rig.tick(2).state is State.STOP
    decision = rig.tick(30)
    assert decision.state is State.HOLD
    assert "no command" in decision.reason
    assert np.array_equal(rig.sent[-1], rig.sent[-10])
    assert rig.ask(HOME) == "", "and goes on with the next"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"session": 0}, "has not the lease"),
        ({"sequence": 1}, "came after"),
        ({"stamp": 99.0}, "made 1"),
        ({"stamp": 101.0}, "made -"),
    ],
)
def test_g6_stale_and_replayed_commands_are_refused(
    rig: Rig, changes: dict[str, object], why: str
) -> None:
    rig.ask(HOME)
    rig.ask(HOME)
    rig.tick(5)
    before = rig.sent[-1]
    assert why in rig.ask(near(HOME, 1.0), **changes)
    rig.tick(1)
    assert np.array_equal(rig.sent[-1], before)


def test_g7_a_joint_that_falls_silent_stops_the_arm(rig: Rig) -> None:
    valid = np.ones(8, bool)
    valid[3] = False
    rig.ask(near(HOME, 0.5))
    rig.tick(2)
    rig.spoil = lambda reading: replace(reading, valid=valid)
    rig.tick(2)
    assert rig.governor.state is State.FOLLOW
    assert rig.tick().state is State.STOP
    decision = rig.tick(60)
    assert decision.state is State.LATCHED
    assert "no news of panda_joint4" in decision.reason


@pytest.mark.parametrize("fault", ["silence", "frozen", "nan"])
def test_g7_old_is_never_taken_for_new(rig: Rig, fault: str) -> None:
    rig.tick()
    frozen = rig.read()
    rig.spoil = {
        "silence": lambda reading: None,
        "frozen": lambda reading: frozen,
        "nan": lambda reading: replace(reading, q=reading.q * np.nan),
    }[fault]
    rig.tick(70)
    assert rig.governor.state is State.LATCHED
    assert "no news" in rig.governor.reason


def test_g8_an_arm_that_does_not_follow_is_stopped(rig: Rig) -> None:
    stuck = HOME.copy()
    rig.spoil = lambda reading: replace(reading, q=stuck)
    for _ in range(20):
        rig.ask(near(HOME, 0.6))
        rig.tick(5)
    assert rig.governor.state is State.LATCHED
    assert "does not follow" in rig.governor.reason


@pytest.mark.parametrize("fault", ["told at half the rate", "every other answer lost"])
def test_g8_news_that_is_scarce_hides_no_joint_that_is_stuck(rig: Rig, fault: str) -> None:
    told = [rig.read()]

    def scarce(reading: Reading) -> Reading:
        if news := len(told) % 2 == 0:
            reading = replace(reading, q=HOME)
        elif fault == "told at half the rate":
            reading = told[-1]
        told.append(reading)
        lost = np.array([*np.ones(6, bool), news, True])
        return replace(reading, valid=lost) if fault == "every other answer lost" else reading

    rig.spoil = scarce
    for _ in range(20):
        rig.ask(near(HOME, 0.6))
        rig.tick(5)
    assert rig.governor.state is State.LATCHED
    assert "does not follow" in rig.governor.reason


def healthy() -> Health:
    return Health(np.full(8, 40.0), np.full(8, 12.0), ("",) * 8)


def test_g8_an_arm_that_lags_follows(rig: Rig) -> None:
    """A tenth of a second behind, at full speed: no fault."""
    past = [HOME] * 10

    def late(reading: Reading) -> Reading:
        past.append(reading.q)
        return replace(reading, q=past[-10])

    rig.spoil = late
    for _ in range(3):
        for way in (0.8, -0.8):
            assert rig.go(near(HOME, way), 1.0).state is State.FOLLOW
    behind = np.abs(np.array(past)[10:] - np.array(past)[:-10])
    assert behind.max() > 0.15


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"temperature": np.array([*np.full(7, 40.0), 75.0])}, "'gripper' is 75 C hot"),
        ({"voltage": np.array([70.0, *np.full(7, 12.0)])}, "'panda_joint1' has 70.0 V"),
        ({"faults": ("", "overload", *("",) * 6)}, "'panda_joint2' reports overload"),
    ],
)
def test_g9_servos_in_trouble_stop_the_arm(rig: Rig, change: dict[str, object], why: str) -> None:
    rig.spoil = lambda reading: replace(reading, health=replace(healthy(), **change))  # type: ignore[arg-type]
    rig.tick(3)
    assert rig.governor.state is State.LATCHED
    assert why in rig.governor.reason


def test_g9_a_warm_arm_goes_at_half_speed() -> None:
    fastest = []
    for warmth in (40.0, 65.0):
        rig = Rig()
        told = replace(healthy(), temperature=np.full(8, warmth))
        rig.spoil = lambda reading, told=told: replace(reading, health=told)  # type: ignore[misc]
        rig.go(near(HOME, 1.0), 1.0)
        fastest.append(np.abs(np.diff(np.array(rig.sent)[:, 6])).max() / DT)
    assert fastest[0] > 1.0
    assert fastest[1] == pytest.approx(fastest[0] / 2, rel=0.05)


def test_g10_a_stop_latches_until_a_reset_at_rest_and_a_new_session(rig: Rig) -> None:
    rig.go(near(HOME, 1.0), 0.2)
    rig.governor.stop("stop button", latch=True)
    with pytest.raises(InputError, match="not latched"):
        rig.governor.reset(rig.now)
    assert rig.tick(60).state is State.LATCHED
    assert "latched" in rig.ask(HOME)
    with pytest.raises(InputError, match="reset it first"):
        rig.governor.open(rig.now)
    rig.spoil = lambda reading: replace(reading, dq=np.full(7, 0.1))
    rig.tick()
    with pytest.raises(InputError, match="the arm moves"):
        rig.governor.reset(rig.now)
    rig.spoil = lambda reading: reading
    rig.tick()
    rig.governor.reset(rig.now)
    before = rig.sent[-1]
    assert "has not the lease" in rig.ask(HOME), "a reset does not arm whoever commanded before"
    rig.tick(5)
    assert np.array_equal(rig.sent[-1], before)
    rig.session = rig.governor.open(rig.now)
    assert rig.ask(HOME) == ""


def test_g11_it_starts_by_holding_what_is_measured() -> None:
    q = near(HOME, 0.3)
    rig = Rig(q)
    rig.tick(10)
    assert np.allclose(rig.sent, [*q, 1.0])
    silent = replace(rig.read(), valid=np.arange(8) > 0)
    with pytest.raises(InputError, match="panda_joint1 did not answer"):
        Governor(ARM).start(silent, 0.0)
    unknown = replace(rig.read(), q=np.array([*HOME[:6], np.nan]))
    with pytest.raises(InputError, match="panda_joint7 did not answer"):
        Governor(ARM).start(unknown, 0.0)


def test_g11_an_arm_outside_its_limits_is_not_jumped_to_them() -> None:
    """What a driver would do with the place where it stands, and nobody limits how fast."""
    q = HOME.copy()
    q[6] = HIGH[6] + 0.3
    with pytest.raises(InputError, match=r"'panda_joint7' stands at 3.197 rad, outside .* 2.897;"):
        Rig(q)


def test_nothing_is_sent_before_the_start_and_after_the_end(rig: Rig) -> None:
    assert Governor(ARM).tick(rig.read(), 1.0).sent is None
    rig.governor.off()
    assert rig.tick(5).sent is None
    assert "the arm is off" in rig.ask(HOME)


def test_g16_one_commander_at_a_time(rig: Rig) -> None:
    with pytest.raises(InputError, match="another commander"):
        rig.governor.open(rig.now)
    for _ in range(10):
        rig.tick(10)
        rig.governor.beat(rig.session, rig.now)
    with pytest.raises(InputError, match="another commander"):
        rig.governor.open(rig.now)
    rig.tick(60)
    assert "has not the lease" in rig.ask(HOME)
    second = rig.governor.open(rig.now)
    assert second != rig.session
    assert "has not the lease" in rig.ask(HOME)


def test_g16_a_commander_that_leaves_stops_the_arm(rig: Rig) -> None:
    rig.go(near(HOME, 1.0), 0.2)
    rig.governor.close(rig.session)
    assert rig.tick(40).state is State.HOLD
    assert rig.governor.open(rig.now) > rig.session


def test_g17_a_loop_that_keeps_being_late_stops_the_arm(rig: Rig) -> None:
    rig.tick(4, dt=0.03)
    rig.tick(3)
    rig.tick(4, dt=0.03)
    assert rig.governor.state is State.HOLD, "now and then is no harm"
    rig.tick(2, dt=0.03)
    rig.tick(40)
    assert rig.governor.state is State.LATCHED
    assert "late" in rig.governor.reason


def test_g18_what_was_asked_stands_beside_what_was_sent(rig: Rig) -> None:
    rig.ask(HOME + 9.0 * np.array([0, 0, 0, 0, 0, 0, 1.0]))
    decision = rig.tick()
    assert decision.requested is not None
    assert decision.sent is not None
    assert decision.requested[6] == pytest.approx(HOME[6] + 9.0)
    assert decision.sent[6] < HIGH[6]
    assert decision.reason == "commanded"
