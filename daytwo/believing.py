"""Acts by a policy on what is believed, and carries the belief from attempt to attempt."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from daytwo.curricula.attempts import Act, Policy, by
from daytwo.curricula.trials import ATTEMPTS
from daytwo.policies.estimator import STRIDE, Estimator
from daytwo.policies.evidence import Evidence
from daytwo.policies.outlook import Tried
from daytwo.sim.believed import OFFSETS, PRIOR, SUREST, Blur
from daytwo.sim.observation import uncorrected
from daytwo.sim.scene import N_OBJECTS
from daytwo.sim.state import Array
from daytwo.sim.world import StepResult, World

Mode = Literal["carried", "wiped", "oracle", "prior", "blurred"]


class Believing:
    """A `daytwo.curricula.trials.Adaptive`, and an `Act` whose every attempt is a trial of its own.

    Args:
        policy: acts on observations that hold a belief.
        estimator: of the belief; None where the mode needs none. There it still feels and says what
            it has come to, where one is given: it can be taught before it is to be believed.
        n: simulations of the world it acts in.
        mode: carried from attempt to attempt; wiped before each (of offsets it then believes what
            is expected, since these wait for the next attempt); the truth given (oracle); or never
            anything but what is expected of a trial (prior); or the truth blurred anew for each
            attempt, as in practice (blurred).
        seed: of the blur.
    """

    def __init__(
        self,
        policy: Policy,
        estimator: Estimator | None,
        n: int,
        mode: Mode = "carried",
        seed: int = 0,
    ) -> None:
        self.policy, self.estimator, self.mode = policy, estimator, mode
        self._blur, self._in_trial = Blur(seed), False
        self._fresh = np.ones(n, dtype=bool)
        names = () if estimator is None else estimator.names
        if estimator is not None:
            self._state = torch.zeros(1, n, estimator.hidden)  # of the attempt
            self._known = Evidence.none(n, len(names))  # from earlier attempts
            self._stretch = torch.zeros(n, STRIDE, estimator.features)
            self._filled = np.zeros(n, dtype=np.int64)  # steps of it that were felt
            # What it has come to, (n, c).
            self.mean, self.spread = np.zeros((n, len(names))), np.full((n, len(names)), PRIOR)
        self.probes = np.zeros(n, dtype=bool)  # whose latest stretch was a probe
        self._tried: list[list[Tried]] = [[] for _ in range(n)]  # in the running trials, so far
        # Mean and spread of the k offsets that running attempts act on, and half-widths of the
        # objects that they act with, (n, 2 k + N_OBJECTS).
        self._offsets = np.flatnonzero(np.isin(names, OFFSETS))
        self.acts_on = np.zeros((n, 2 * len(self._offsets) + N_OBJECTS))
        self.felt = torch.zeros(0)  # features (n, f) of the latest step
        # Likewise of what the attempt before it ended with, of the same trial.
        self.ending = torch.zeros(0) if estimator is None else torch.zeros(n, estimator.features)
        self.ended = np.zeros(n, dtype=bool)  # where that is
        self._ends = np.zeros(n, dtype=bool)  # where it will be at the next step

    def begin(self, world: World, ids: NDArray[np.int64], attempt: NDArray[np.int64]) -> None:
        """Simulations `ids` (k,) have just begun these attempts (k,) of their trials; -1 probes."""
        self._in_trial = True
        first = (attempt == -1) | ((attempt == 0) & ~self.probes[ids])
        self.probes[ids] = attempt == -1
        anew = ids[first | (self.mode == "wiped")]
        self._begin(world, ids, anew, tried=ids[attempt > 0])

    def __call__(self, world: World, observation: NDArray[np.float32]) -> NDArray[np.floating]:
        """Actions (n, a) for observations (n, o)."""
        if not self._in_trial and len(ids := np.flatnonzero(world.steps == 0)):
            self._begin(world, ids, anew=ids, tried=ids[:0])
            observation = world.observe()
        if self.estimator is not None:
            self._estimate(world, observation)
        return self.policy.predict(world.observe(), deterministic=True)[0]

    def _begin(
        self,
        world: World,
        ids: NDArray[np.int64],
        anew: NDArray[np.int64],
        tried: NDArray[np.int64],
    ) -> None:
        """Simulations `ids` begin an attempt, some (`anew`) knowing nothing, some (`tried`) after
        an attempt of the same trial.
        """
        kept = np.setdiff1d(ids[~self._fresh[ids]], anew)  # of which something was felt
        self._fresh[ids] = True
        assert world.believed is not None
        if self.estimator is not None:
            self.ending[kept], self._ends[kept] = self._felt_last(world, kept), True
            self._stretch[kept, self._filled[kept]] = self.ending[kept]
            self._known.put(kept, self._conclude(kept))
            self._known.put(anew, Evidence.none(len(anew), len(self.estimator.names)))
            self.mean[anew], self.spread[anew] = 0.0, PRIOR
            for i in anew.tolist():
                self._tried[i] = []
            self._state[:, ids], self._stretch[ids], self._filled[ids] = 0.0, 0.0, 0
            world.believe(ids, self.mean[ids], self.spread[ids])
            self._go_on(world, np.intersect1d(kept, tried))
        if self.mode == "oracle":
            truth = world.believed.scaled(world.context.take(ids))
            world.believe(ids, truth, np.full_like(truth, SUREST))
        elif self.mode == "prior":
            blank = np.zeros((len(ids), len(world.believed.names)))
            world.believe(ids, blank, blank + PRIOR)
        elif self.mode == "blurred":
            self._blur(world, ids)
        acts_on = [x[ids][:, self._offsets] for x in (world.believed.mean, world.believed.spread)]
        self.acts_on[ids] = np.concatenate([*acts_on, world.state.half[ids]], axis=1)

    def _go_on(self, world: World, ids: NDArray[np.int64]) -> None:
        """Arms `ids` (k,) that have just ended an attempt act, in this trial's next, on such
        offsets as promise most after what all of them came to.
        """
        assert self.estimator is not None
        outlook, at = self.estimator.outlook, self._offsets
        for i in ids.tolist():
            acted_on, unsure, half = np.split(self.acts_on[i].copy(), (len(at), 2 * len(at)))
            self._tried[i].append(Tried(acted_on, unsure, half, bool(world.won[i])))
            if outlook is not None:
                words, mean = world.descriptors[world.task[i]], self.mean[i].copy()
                unsure, half = self.spread[i, at], world.state.half[i]
                mean[at] = outlook.choose(mean[at], unsure, self._tried[i], words, half)
                world.believe(np.array([i]), mean[None], self.spread[[i]])

    @torch.no_grad()
    def _estimate(self, world: World, observation: NDArray[np.float32]) -> None:
        assert self.estimator is not None
        told = uncorrected(observation, world.correction)
        nothing = np.zeros(world.n, dtype=bool)
        self.felt = self.estimator.felt(told, world.took, nothing, self._fresh)
        self.ended, self._ends = self._ends, np.zeros_like(self._ends)
        self._fresh = np.zeros_like(self._fresh)
        everyone = np.arange(world.n)
        self._stretch[everyone, self._filled] = self.felt
        self._filled += 1
        due = everyone[self._filled == STRIDE]
        self._conclude(due)
        if self.mode not in ("carried", "wiped"):
            return
        # Offsets are taken off what is told: a goal that moves while it is searched for is not
        # found. Of them an arm believes what it did when the attempt began.
        believed = world.believed
        assert believed is not None
        held = np.isin(believed.names, OFFSETS)
        mean = np.where(held, believed.mean[due], self.mean[due])
        world.believe(due, mean, np.where(held, believed.spread[due], self.spread[due]))

    def _felt_last(self, world: World, ids: NDArray[np.int64]) -> Tensor:
        """Features (k, f) of what attempts of simulations `ids` (k,) ended with."""
        assert self.estimator is not None
        told = uncorrected(world.last[ids], world.last_correction[ids])
        fresh = np.zeros(len(ids), dtype=bool)
        return self.estimator.felt(told, world.last_took[ids], world.won[ids], fresh)

    def concluded(self, world: World, ids: NDArray[np.int64]) -> tuple[Array, Array]:
        """Mean and spread (k, c) of what attempts of simulations `ids` (k,), whose latest step was
        their last, come to with how they ended; nothing is changed.
        """
        assert self.estimator is not None
        felt = self._stretch[ids].clone()
        felt[np.arange(len(ids)), self._filled[ids]] = self._felt_last(world, ids)
        mean, log_spread = self._read(ids, felt)[0].belief()
        return mean.numpy(), log_spread.exp().numpy()

    def _conclude(self, ids: NDArray[np.int64]) -> Evidence:
        """Arms `ids` (k,) draw from the stretch they felt what is to be believed; all that their
        trials have told.
        """
        if len(ids) == 0:
            return self._known.take(ids)
        whole, self._state[:, ids] = self._read(ids, self._stretch[ids])
        mean, log_spread = whole.belief()
        self.mean[ids] = mean.numpy()
        self.spread[ids] = log_spread.exp().numpy()
        self._stretch[ids], self._filled[ids] = 0.0, 0
        return whole

    @torch.no_grad()
    def _read(self, ids: NDArray[np.int64], felt: Tensor) -> tuple[Evidence, Tensor]:
        """All that trials of `ids` (k,) have told with a stretch (k, STRIDE, f), and the network's
        state (1, k, h) after it.
        """
        assert self.estimator is not None
        told, state = self.estimator(felt[:, None], self._state[:, ids])
        return self._known.take(ids) + told.take((slice(None), 0)), state


def acting(policy: Policy, estimator: Estimator | None, n: int) -> Act:
    """Acts in n simulations: on beliefs, where there is an estimator of them."""
    return by(policy) if estimator is None else Believing(policy, estimator, n)


class Notes:
    """Keeps what was felt in m trials, to learn from.

    Args:
        acting: whose features are kept.
        m: number of trials.
        longest: steps of a trial at most, and one more for each end of an attempt or a probe.
        attempts: of a trial.
    """

    def __init__(self, acting: Believing, m: int, longest: int, attempts: int = ATTEMPTS) -> None:
        assert acting.estimator is not None
        self._acting = acting
        self.x = np.zeros((m, longest, acting.estimator.features), dtype=np.float32)
        self.length = np.zeros(m, dtype=np.int64)
        # What each attempt acted on, as `Believing.acts_on` says.
        self.acted_on = np.zeros((m, attempts, acting.acts_on.shape[1]))
        self.attempts = np.zeros(m, dtype=np.int64)  # how many have begun

    def __call__(
        self,
        at: NDArray[np.int64],
        observation: NDArray[np.float32],
        action: NDArray[np.floating],
        result: StepResult,
    ) -> None:
        """Note one step; see `daytwo.curricula.attempts.Watch`."""
        acting = self._acting
        begins = np.flatnonzero((at >= 0) & ~acting.probes & (acting.felt[:, -1] > 0.5).numpy())
        self.acted_on[at[begins], self.attempts[at[begins]]] = acting.acts_on[begins]
        self.attempts[at[begins]] += 1
        self._keep(at, np.flatnonzero((at >= 0) & acting.ended), acting.ending)
        self._keep(at, np.flatnonzero(at >= 0), acting.felt)

    def _keep(self, at: NDArray[np.int64], ids: NDArray[np.int64], felt: Tensor) -> None:
        trial = at[ids]
        self.x[trial, self.length[trial]] = felt.numpy()[ids]
        self.length[trial] += 1
