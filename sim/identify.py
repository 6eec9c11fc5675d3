"""What an attempt says about the hidden context: simulate it again under many guesses and compare.

A belief is a cloud of guesses (particles). After an attempt every guess is simulated with the joint
targets that were really sent, in MuJoCo, all at once, and weighed by how well what it would have
reported agrees with what was reported (simulation-based inference: Ramos, Possas and Fox,
BayesSim, RSS 2019; tempering: Del Moral, Doucet and Jasra, SMC samplers, 2006; the jitter keeps
mean and spread: Liu and West, 2001). Nothing is learnt by gradient and no task is known here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from daytwo.errors import InputError
from daytwo.sim.arms import Arm
from daytwo.sim.context import Context
from daytwo.sim.engine import MujocoEngine
from daytwo.sim.state import Array
from daytwo.sim.tasks.base import Placement

NAMES = ("offset_x", "offset_y", "offset_z", "stiffness", "damping")
SPREAD = np.array([0.025, 0.025, 0.004, 0.15, 0.15])  # of what is expected before any attempt
FLOOR = np.array([0.002, 0.002, 0.001, 0.02, 0.02])  # nobody is surer than this
# Offsets in metres, what the camera adds to every reported position; the rest are logarithms of
# factors on the arm servos' gains.

_SIGMA_P = 0.008  # [m] how far a right guess's objects may be off: another physics, other contacts
_SIGMA_OPENING = 0.003  # [m] likewise the gripper's opening
_FAR = 4.0  # sigmas; what is further off than this says no more
_WORTH = 8.0  # independent looks that an attempt is worth, however many steps it took
_STAGES = (0.1, 0.4, 1.0)  # tempering: how much of the evidence counts
_NEAR = 0.25  # kernel width of the densest place, in spreads of the prior
_MOVE = 0.35  # share of the cloud's spread that the jitter has


@dataclass(frozen=True)
class Trace:
    """What was sent and reported in one attempt of T steps."""

    placement: Placement  # as reported at the start, one row
    q: Array  # (dof,) joints at the start [rad]
    sent: Array  # (T, dof + 1) joint targets [rad] and gripper 0..1
    p_object: Array  # (T + 1, k, 3) reported [m]
    opening: Array  # (T + 1,) [m]


@dataclass(frozen=True)
class Belief:
    """A cloud of equally likely guesses at the hidden context, (P, len(NAMES))."""

    guesses: Array

    def __post_init__(self) -> None:
        if self.guesses.ndim != 2 or self.guesses.shape[1] != len(NAMES):
            raise InputError(f"belief: shape {self.guesses.shape}; expected (P, {len(NAMES)})")
        if not np.isfinite(self.guesses).all():
            row, column = np.argwhere(~np.isfinite(self.guesses))[0]
            raise InputError(f"belief: {NAMES[column]} of guess {row} is not finite")

    @classmethod
    def prior(cls, particles: int = 192, seed: int = 0) -> Belief:
        """What is expected before the first attempt."""
        half = np.random.default_rng(seed).standard_normal((particles // 2, len(NAMES)))
        # Mirrored, so that before any attempt nothing speaks for one side.
        return cls(SPREAD * np.concatenate([np.zeros((particles % 2, len(NAMES))), half, -half]))

    @property
    def mean(self) -> Array:
        return np.asarray(self.guesses.mean(axis=0))

    @property
    def spread(self) -> Array:
        """Standard deviation of each element."""
        return np.asarray(self.guesses.std(axis=0))

    @property
    def offset(self) -> Array:
        """The guess (3,) [m] at the camera's offset to act on: where the cloud is densest."""
        xyz = self.guesses[:, :3] / SPREAD[:3]
        at = xyz.mean(axis=0)
        # Mean shift from the densest guess (Comaniciu and Meer, 2002); from the mean where the
        # cloud is as wide as it was before any attempt.
        apart = ((xyz[:, None] - xyz[None]) ** 2).sum(-1)
        if xyz[:, :2].std(axis=0).max() < 0.9:
            at = xyz[np.exp(-apart / (2 * _NEAR**2)).sum(axis=1).argmax()]
            for _ in range(10):
                near = np.exp(-((xyz - at) ** 2).sum(-1) / (2 * _NEAR**2))
                at = near @ xyz / near.sum()
        return np.asarray(at * SPREAD[:3])

    def overnight(self, share: float, seed: int = 0) -> Belief:
        """The same belief less sure: a share of the guesses is drawn anew."""
        rng = np.random.default_rng(seed)
        fresh = Belief.prior(len(self.guesses), seed + 1).guesses
        anew = rng.random(len(self.guesses)) < share
        return Belief(np.where(anew[:, None], fresh, self.guesses))


class Identifier:
    """Updates a belief from attempts; one batch of simulations that is built once.

    Args:
        arm: the arm the attempts were made with.
        particles: guesses simulated at once.
        n_objects: cubes a scene can hold.
        threads: of the physics; 0 uses every core.
    """

    def __init__(
        self, arm: Arm, particles: int = 192, n_objects: int = 2, threads: int = 0
    ) -> None:
        self.arm, self.particles = arm, particles
        self.engine = MujocoEngine(arm, particles, n_objects, threads)

    def update(self, belief: Belief, trace: Trace, seed: int = 0) -> Belief:
        """The belief after one more attempt; deterministic in its arguments."""
        rng = np.random.default_rng(seed)
        guesses, before = belief.guesses, 0.0
        fit = self._fit(guesses, trace)
        for stage in _STAGES:
            weight = np.exp((stage - before) * (fit - fit.max()))
            guesses = _jitter(_resample(guesses, weight, rng), rng)
            before = stage
            if stage < 1.0:
                fit = self._fit(guesses, trace)
        return Belief(guesses)

    def _fit(self, guesses: Array, trace: Trace) -> Array:
        """Log-likelihood (P,) of what was reported under each guess."""
        p, opening = self.simulate(guesses, trace)
        present = trace.placement.half[0, : p.shape[2]] > 0
        off = np.linalg.norm(p - trace.p_object[1:, None], axis=-1)[..., present]  # (T, P, k)
        # A guess whose simulation went astray is as far off as can be: fmin takes no NaN.
        miss = np.fmin(off / _SIGMA_P, _FAR) ** 2
        miss_opening = np.fmin(np.abs(opening - trace.opening[1:, None]) / _SIGMA_OPENING, _FAR)
        by_step = miss.sum(axis=-1) + miss_opening**2
        return np.asarray(-0.5 * _WORTH * by_step.mean(axis=0))

    def simulate(self, guesses: Array, trace: Trace) -> tuple[Array, Array]:
        """What each guess would have reported: object centres (T, P, k, 3), opening (T, P) [m]."""
        n, engine = len(guesses), self.engine
        if n != self.particles:
            raise InputError(f"belief: {n} guesses; this identifier simulates {self.particles}")
        ids, rows = np.arange(n), np.zeros(n, dtype=np.int64)
        offset, factors = guesses[:, :3], np.exp(guesses[:, 3:])
        reported = trace.placement.take(rows)
        truth = replace(
            reported,
            p_object=reported.p_object - offset[:, None],
            p_goal=reported.p_goal - offset,
            p_pedestal=reported.p_pedestal - offset,
        )
        # A cube cannot start inside the table.
        truth.p_object[..., 2] = np.maximum(truth.p_object[..., 2], truth.half)
        engine.pose_offset = offset
        engine.reset(ids, np.tile(trace.q, (n, 1)), truth, Context(factors[:, 0], factors[:, 1]))
        k = trace.p_object.shape[1]
        seen_p, seen_opening = [], []
        for sent in trace.sent:
            engine.drive(np.tile(sent[:-1], (n, 1)), np.full(n, sent[-1]))
            seen_p.append(engine.objects()[0][:, :k])
            seen_opening.append(engine.opening())
        return np.array(seen_p), np.array(seen_opening)


def _resample(guesses: Array, weight: Array, rng: np.random.Generator) -> Array:
    """Systematic resampling: P guesses, each as often as its weight says."""
    edges = np.cumsum(weight / weight.sum())
    at = (np.arange(len(guesses)) + rng.random()) / len(guesses)
    return np.asarray(guesses[np.minimum(np.searchsorted(edges, at), len(guesses) - 1)])


def _jitter(guesses: Array, rng: np.random.Generator) -> Array:
    """Move every guess a little, shrunk towards the mean so that the spread stays what it was."""
    mean, spread = guesses.mean(axis=0), np.maximum(guesses.std(axis=0), FLOOR)
    keep = np.sqrt(1 - _MOVE**2)
    noise = _MOVE * spread * rng.standard_normal(guesses.shape)
    return np.asarray(keep * guesses + (1 - keep) * mean + noise)
