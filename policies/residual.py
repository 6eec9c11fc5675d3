"""A small, bounded addition to a policy's actions, learnt on the spot from a handful of attempts.

The policy itself stays as it is (residual reinforcement learning: Johannink et al., ICRA 2019;
Silver et al., "Residual policy learning", 2018). A copy of the critics goes on learning from what
has just been tried, beside what worked before; the residual climbs their estimate where it has been
in this trial, and is kept small where the policy has worked.
"""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from daytwo.errors import InputError
from daytwo.policies.learner import Learner
from daytwo.policies.mlp import MLP, Tape

BOUND = 0.25  # of the largest action, that a residual adds at most in each element


@dataclass(frozen=True)
class OnTheSpot:
    """How a residual is learnt between two attempts."""

    updates: int = 200  # gradient updates
    seconds: float = 8.0  # after so long it ends earlier
    batch_size: int = 128  # transitions of the trial, and as many that are stored
    rate: float = 1e-3  # Adam learning rate of the residual
    critic_rate: float = 3e-4  # likewise of the critics' copy
    keep: float = 2.0  # weight of adding nothing where the policy has worked
    hidden: int = 64  # units


class Residual:
    """Of one arm, in one trial; adds nothing at first.

    Args:
        learner: whose actions are added to; nothing of it is changed.
        seed: of weights and batches.
        settings: how it is learnt.
    """

    def __init__(self, learner: Learner, seed: int, settings: OnTheSpot | None = None) -> None:
        self.settings = settings or OnTheSpot()
        self._learner, policy = learner, learner.policy
        self._sees = policy.actor.sees
        self.rng = torch.Generator(device=learner.device).manual_seed(seed)
        sizes = (self._sees, self.settings.hidden, learner.layout.action)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.net = MLP(sizes, norm=1e-3).to(learner.device)
        with torch.no_grad():
            for part in self.net.layers()[-1]:
                part.zero_()
        self._critic, self._target = deepcopy(policy.critic), deepcopy(policy.critic_target)
        self._climber = torch.optim.Adam(self.net.parameters(), lr=self.settings.rate)
        self._judge = torch.optim.Adam(self._critic.parameters(), lr=self.settings.critic_rate)

    @torch.no_grad()
    def __call__(self, obs: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is added to the actions (k, a) in [-1, 1] for observations (k, o)."""
        x = self._learner.policy.scale(torch.as_tensor(obs, device=self._learner.device))
        return np.asarray(self._added(x).cpu().numpy())

    def learn(self, trial: Tensor, stored: Tensor) -> int:
        """Learn from this trial's transitions, and from what worked before.

        Args:
            trial: rows (t, width) of the learner's layout.
            stored: rows (s, width), of the same task or of the nearest skill; may be none.

        Returns:
            Updates made within the time.

        Raises:
            InputError: the trial has no transitions, or a number that is not finite.
        """
        if len(trial) == 0:
            raise InputError("residual: the trial has no transitions to learn from")
        if not torch.isfinite(trial[:, :-1]).all():  # the last column is a bound, perhaps open
            raise InputError("residual: a transition of the trial is not finite")
        until = time.monotonic() + self.settings.seconds
        parts = [self._seen(rows.to(self._learner.device)) for rows in (trial, stored)]
        for done in range(self.settings.updates):
            if time.monotonic() > until:
                return done
            self._update(*(self._drawn(part) for part in parts))
        return self.settings.updates

    @torch.no_grad()
    def _seen(self, rows: Tensor) -> _Rows:
        """Rows as networks see them, with what the policy itself does there."""
        learner = self._learner
        obs, action, reward, goes_on, next_obs, bound = learner.layout.split(rows)
        obs, next_obs = learner.policy.scale(obs), learner.policy.scale(next_obs)
        own, next_own = (torch.tanh(learner.policy.steady.gaussian(x)[0]) for x in (obs, next_obs))
        discount = learner.config.discount * goes_on
        return _Rows(obs, action, reward, discount, next_obs, bound, own, next_own)

    @torch.no_grad()
    def _update(self, here: _Rows, known: _Rows) -> None:
        config = self.settings
        both = _Rows(*(torch.cat(pair) for pair in zip(here, known, strict=True)))
        # Critics: the mean of (q - target)^2.
        then = self._sum(both.next_own, self._added(both.next_obs))
        next_q = self._target.values(both.next_obs, then).amin(0)
        # The learner's critics count the noise of what is done next as worth something, too.
        next_q += self._learner.log_ent_coef.exp() * self._learner.target_entropy
        target = torch.maximum(both.reward + both.discount * next_q, both.bound)
        tape = Tape()
        off = self._critic.values(both.obs, both.action, tape) - target
        self._critic.weight_gradient(tape, (2 / len(both.obs) * off).unsqueeze(-1))
        self._judge.step()
        self._target.flat.lerp_(self._critic.flat, self._learner.config.tau)
        # Residual: keep * mean(added^2) where it is known, less the value where it was tried.
        tried, added_tape = len(here.obs), Tape()
        raw = torch.tanh(self.net(both.obs[:, : self._sees], added_tape)[0])
        action = self._sum(both.own, BOUND * raw)
        q = self._critic.values(here.obs, action[:tried], tape)
        value, critic = q.min(0, keepdim=True)
        climb = 1 / value.abs().mean().clamp_min(1e-3) / tried
        by_q = torch.zeros_like(q).scatter_(0, critic, -climb.expand(1, tried))
        start = self._learner.policy.scale.size
        by_added = 2 * config.keep * BOUND * raw / max(len(known.obs), 1) / raw.shape[1]
        by_action = self._critic.input_gradient(tape, by_q.unsqueeze(-1), start=start)
        inward = by_action * action[:tried] > 0  # at a limit only back
        by_added[:tried] = by_action.where((action[:tried].abs() < 1.0) | inward, 0.0)
        by_raw = by_added * BOUND * (1 - raw**2)
        self.net.weight_gradient(added_tape, by_raw.unsqueeze(0))
        self._climber.step()

    @staticmethod
    def _sum(own: Tensor, added: Tensor) -> Tensor:
        return (own + added).clamp(-1.0, 1.0)

    def _added(self, x: Tensor) -> Tensor:
        return BOUND * torch.tanh(self.net(x[:, : self._sees])[0])

    def _drawn(self, rows: _Rows) -> _Rows:
        n, k = len(rows.obs), self.settings.batch_size if len(rows.obs) else 0
        at = torch.randint(max(n, 1), (k,), generator=self.rng, device=rows.obs.device)
        return _Rows(*(part[at] for part in rows))


class _Rows(NamedTuple):
    """Transitions (k,) as networks see them."""

    obs: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_obs: Tensor
    bound: Tensor
    own: Tensor  # what the policy itself does there
    next_own: Tensor
