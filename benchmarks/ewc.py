"""Elastic weight consolidation (Kirkpatrick et al., PNAS 2017), for the benchmark to compare with.

As in Continual World it holds the actor alone, with the Fisher information of its Gaussian.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, jacrev, vmap

from daytwo.policies.learner import Learner

STATES = 256  # on which the Fisher information is averaged
LEAST = 1e-5  # of it, as in Continual World


class Ewc:
    """Pulls the actor's weights back to where they were at the end of each day.

    Args:
        learner: whose actor it holds.
        weight: of the penalty weight/2 * sum F (theta - theta*)^2 in the actor's loss.
    """

    def __init__(self, learner: Learner, weight: float) -> None:
        self.learner, self.weight = learner, weight
        self.actor = learner.policy.actor
        self.fisher = torch.zeros_like(self.actor.flat)
        self.pull = torch.zeros_like(self.actor.flat)  # sum over days of F theta*

    def end_day(self) -> None:
        """Take today's actor as one more to stay near to."""
        learner = self.learner
        rows = learner.successes.sample(STATES, learner.rng)
        obs = learner.policy.scale(rows[:, : learner.layout.obs])
        fisher = fisher_information(self.actor, obs).clamp_min(LEAST)
        self.fisher += fisher
        self.pull += fisher * self.actor.flat.detach()

    def begin_day(self) -> None:
        """Hook into the day's fresh optimiser."""
        self.learner.actor_optimizer.register_step_pre_hook(self._penalise)

    def _penalise(self, *_: Any) -> None:
        actor = self.actor.flat
        assert actor.grad is not None
        actor.grad.add_(self.fisher * actor.detach() - self.pull, alpha=self.weight)


def fisher_information(actor: Any, obs: Tensor) -> Tensor:
    """Diagonal (w,) over the actor's weights: (dmu/dw)^2 / sigma^2 + 2 (dsigma/dw)^2 / sigma^2."""
    weights = {"flat": actor.flat.detach()}

    def gaussian(w: dict[str, Tensor], one: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = functional_call(actor, w, (one.unsqueeze(0),))[0].chunk(2, dim=-1)
        return mean[0], log_std[0]

    total = torch.zeros_like(actor.flat)
    for part in obs.split(32):
        by_mean, by_log_std = vmap(jacrev(gaussian), (None, 0))(weights, part)
        with torch.no_grad():
            sigma = actor.gaussian(part)[1].exp().unsqueeze(-1)
            total += ((by_mean["flat"] / sigma) ** 2 + 2 * by_log_std["flat"] ** 2).sum((0, 1))
    return (total / len(obs)).detach()
