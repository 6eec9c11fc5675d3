"""What an attempt says about the hidden context: predict each of its steps under many guesses.

From every measured state of the attempt one step is simulated in MuJoCo under every guess at once,
and the guess is weighed by how far off the objects then are from where they were seen next
(simulation-based inference: Ramos, Possas and Fox, BayesSim, RSS 2019; step by step, as the
transition likelihood of a particle filter: Thrun, Burgard and Fox, Probabilistic Robotics, 2005).
Beginning every step from what was measured, a wrong contact spoils one step and not all that
follow; and a servo's lag and delay, which show in the measured joints, need not be guessed.
Nothing is learnt by gradient and no task is known here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daytwo.errors import InputError
from daytwo.sim.arms import Arm
from daytwo.sim.belief import GUESSES, Belief
from daytwo.sim.context import Context
from daytwo.sim.engine import MujocoEngine, reported
from daytwo.sim.scene import CONTROL_HZ, SUBSTEPS
from daytwo.sim.state import Array
from daytwo.sim.tasks.base import Placement

_FAR = 0.009  # [m] a prediction that is further off than this says no more
_WORTH = 0.8  # what a step says at most [nat]
_ANEW = 0.05  # share of the guesses drawn anew at each attempt: the camera may have been bumped


@dataclass(frozen=True)
class Trace:
    """What was measured, sent and reported in one attempt of T steps."""

    placement: Placement  # as reported at the start, one row
    q: Array  # (T + 1, dof) measured joints [rad]
    opening: Array  # (T + 1,) measured distance of the pads [m]
    grip: Array  # (T,) sent, 0 shut .. 1 open
    p_object: Array  # (T + 1, k, 3) reported [m]
    quat_object: Array  # (T + 1, k, 4) reported, wxyz


class Identifier:
    """Updates a belief from attempts; one batch of simulations that is built once.

    Args:
        arm: the arm the attempts were made with.
        guesses: simulated at once.
        n_objects: cubes a scene can hold.
        threads: of the physics; 0 uses every core.
    """

    def __init__(
        self, arm: Arm, guesses: int = GUESSES, n_objects: int = 2, threads: int = 0
    ) -> None:
        self.arm, self.guesses = arm, guesses
        self.engine = MujocoEngine(arm, guesses, n_objects, threads)

    def update(self, belief: Belief, trace: Trace, seed: int = 0) -> Belief:
        """The belief after one more attempt; deterministic in its arguments.

        An attempt without an object says nothing, and leaves the belief as it is.
        """
        if not (trace.placement.half > 0).any():
            return belief
        belief = belief.of(self.guesses).renewed(_ANEW, seed)
        return belief.after(self.fit(belief.guesses, trace), np.random.default_rng(seed))

    def fit(self, guesses: Array, trace: Trace) -> Array:
        """Log-likelihood (P,), up to a constant, of what was reported under each guess.

        Raises:
            InputError: there are more or fewer guesses than this simulates.
        """
        p = self.predict(guesses, trace)
        present = trace.placement.half[0, : p.shape[2]] > 0
        off = np.linalg.norm(p - trace.p_object[1:, None], axis=-1)[..., present]  # (T, P, k)
        # A guess whose simulation went astray is as far off as can be: fmin takes no NaN.
        return np.asarray(-_WORTH * (np.fmin(off / _FAR, 1.0) ** 2).sum(axis=(0, 2)))

    def predict(self, guesses: Array, trace: Trace) -> Array:
        """Where each guess would have the objects reported one step after each measured state,
        (T, P, k, 3) [m].
        """
        n, engine = len(guesses), self.engine
        if n != self.guesses:
            raise InputError(f"{n} guesses; this identifier simulates {self.guesses}")
        ids, rows = np.arange(n), np.zeros(n, dtype=np.int64)
        truth = reported(trace.placement.take(rows), -guesses)
        engine.pose_offset = guesses
        q = trace.q
        engine.reset(ids, np.tile(q[0], (n, 1)), truth, Context.nominal(n))
        # A servo that is to move at dq without force is sent this far ahead.
        lead = np.divide(self.arm.kd, self.arm.kp)
        lead_grip = self.arm.gripper.kd / self.arm.gripper.kp
        open_share = trace.opening / self.arm.gripper.max_opening
        v_object = np.zeros_like(trace.p_object[0])
        k = trace.p_object.shape[1]
        half = trace.placement.half_z[0, :k]
        seen = []
        for t in range(len(trace.grip)):
            dq = (q[t + 1] - q[t]) * CONTROL_HZ
            p = trace.p_object[t] - guesses[:, None]
            p[..., 2] = np.maximum(p[..., 2], half)  # a cube cannot be inside the table
            if t:
                v_object = (trace.p_object[t] - trace.p_object[t - 1]) * CONTROL_HZ
            engine.place(q[t], dq, trace.opening[t], p, trace.quat_object[t], v_object)
            moved = (open_share[t + 1] - open_share[t]) * CONTROL_HZ
            grip = (open_share[t] + open_share[t + 1]) / 2 + lead_grip * moved
            asked = trace.grip[max(t - 1, 0) : t + 1].max()
            if asked < open_share[t + 1]:  # it was kept from shutting: it squeezes
                grip = min(grip, asked)
            lead_q = np.tile((q[t] + q[t + 1]) / 2 + lead * dq, (n, 1))
            engine.advance(lead_q, np.full(n, grip), SUBSTEPS)
            seen.append(engine.objects()[0][:, :k])
        return np.array(seen)
