"""Networks: a squashed Gaussian actor, two critics computed as one, and the observation scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from daytwo.policies.config import ACTOR_NORM, CLIP, GAINS, MIN_STD
from daytwo.policies.mlp import MLP, Tape

AVERAGED = 2000  # updates, the latest at most, whose weights are averaged
LEAST_LOG_STD = -5.0  # of the actor's log standard deviation


class Normalizer(nn.Module):
    """Running mean and variance of observations (Chan et al., parallel variance, 1979), or a scale
    that stays: what is learnt on one day must mean the same on the next.

    Args:
        dim: elements of an observation.
        fine: which of them are seen finely, too.
    """

    mean: Tensor
    var: Tensor
    count: Tensor  # observations seen; infinite where the scale is fixed

    def __init__(self, dim: int, fine: Sequence[int] = ()) -> None:
        super().__init__()
        self.fine = list(fine)
        self.size = dim + len(GAINS) * len(self.fine)  # of what comes out
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("var", torch.ones(dim))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, obs: Tensor) -> Tensor:
        """Observations (b, o) standardised, behind what is seen finely of them, (b, size)."""
        x = ((obs - self.mean) / self.var.sqrt().clamp_min(MIN_STD)).clamp(-CLIP, CLIP)
        return finely(x, self.fine)

    @torch.no_grad()
    def fix(self, size: Tensor) -> None:
        """Divide by the typical sizes (o,) from now on, whatever is seen."""
        self.mean.zero_()
        self.var.copy_(size**2)
        self.count.fill_(math.inf)

    @torch.no_grad()
    def update(self, obs: Tensor) -> None:
        """Take observations (k, o) into account, unless the scale is fixed."""
        if torch.isinf(self.count):
            return
        k = len(obs)
        total = self.count + k
        shift = obs.mean(0) - self.mean
        spread = obs.var(0, unbiased=False) * k + self.var * self.count
        self.var.copy_((spread + shift**2 * self.count * k / total) / total)
        self.mean.add_(shift * k / total)
        self.count.fill_(total)


def finely(x: Tensor, fine: Sequence[int]) -> Tensor:
    """Standardised observations (..., o) behind their elements `fine`, seen finely."""
    if not fine:
        return x
    near = x[..., list(fine)]
    return torch.cat([*(torch.tanh(gain * near) for gain in GAINS), x], dim=-1)


class Actor(MLP):
    """Gaussian over actions, squashed by tanh (Haarnoja et al., 2018, app. C).

    Layer normalisation here too: a new task is then learnt quickly by a network that has learnt
    others before (Lyle et al., "Understanding plasticity in neural networks", 2023). Where a goal
    is near every input is small; a tenth added to the variance keeps noise small there too.
    The last `secret` elements of an observation are for critics alone; it sees the others.

    The noise it starts with is the most it ever has. Cloning says nothing of noise, so that the
    word of critics which know nothing yet would decide it alone, and Adam makes full steps of the
    smallest gradients: noise of 0.1 grew to 0.7 within 100 updates, and precise skills were gone.
    """

    def __init__(
        self, obs_dim: int, action_dim: int, hidden: int, noise: float, secret: int = 0
    ) -> None:
        self.sees = obs_dim - secret
        self.most = math.log(noise)  # of the log standard deviation
        super().__init__((self.sees, hidden, hidden, 2 * action_dim), norm=ACTOR_NORM)
        with torch.no_grad():  # start with the same small noise in every state
            weight, bias = self.layers()[-1]
            weight[..., action_dim:] = 0.0
            bias[..., action_dim:] = math.log(noise)

    def gaussian(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation before tanh, (b, a) each."""
        mean, log_std = self(obs[:, : self.sees])[0].chunk(2, dim=-1)
        return mean, log_std.clamp(LEAST_LOG_STD, self.most)

    def sample(self, obs: Tensor, noise: Tensor) -> Sample:
        """Actions from standard normal `noise` (b, a)."""
        tape = Tape()
        mean, raw = self(obs[:, : self.sees], tape)[0].chunk(2, dim=-1)
        log_std = raw.clamp(LEAST_LOG_STD, self.most)
        spread = noise * log_std.exp()
        u = mean + spread
        # Of the Gaussian, less the logarithm of tanh's slope.
        terms = F.softplus(-2 * u).add_(u).mul_(2).sub_(log_std).addcmul_(noise, noise, value=-0.5)
        log_prob = terms.sum(-1) - u.shape[-1] * (2 * math.log(2) + 0.5 * math.log(2 * math.pi))
        beyond = torch.sign(raw - log_std)
        return Sample(torch.tanh(u), log_prob, torch.tanh(mean), spread, beyond, tape)

    @torch.no_grad()
    def gradient(self, s: Sample, action: Tensor, log_prob: Tensor, mean: Tensor) -> None:
        """Set the gradient of a loss, given its gradients by action, log probability and mean
        before tanh.
        """
        lp = log_prob.unsqueeze(-1)
        by_u = action * (1 - s.action**2) + 2 * lp * s.action
        by_mean = by_u + mean
        by_log_std = by_u * s.spread - lp
        by_log_std = by_log_std.where(by_log_std * s.beyond >= 0, 0.0)  # at a limit only back
        self.weight_gradient(s.tape, torch.cat([by_mean, by_log_std], dim=-1).unsqueeze(0))


@torch.no_grad()
def average(steady: Tensor, flat: Tensor, k: int) -> None:
    """Move the average of weights (n,) on by those of update k, counted from 1.

    Of about the last ninth of all updates, and of `AVERAGED` at most. Each update makes a policy a
    little better at what it has just seen and worse at the rest; averaged, these cancel (Polyak and
    Juditsky, 1992; Shamir and Zhang, ICML 2013, for the weights).
    """
    steady.lerp_(flat, max(1.0 / AVERAGED, 9.0 / (k + 8.0)))


class Sample(NamedTuple):
    """What `Actor.sample` draws, and what its gradient needs."""

    action: Tensor  # (b, a) in [-1, 1]
    log_prob: Tensor  # (b,)
    mean_action: Tensor  # (b, a), the mean's action
    spread: Tensor  # (b, a), noise before tanh
    beyond: Tensor  # (b, a), 1 where the standard deviation is above its range, -1 below, else 0
    tape: Tape


class Critics(MLP):
    """Two critics with layer normalisation, as one batched product a layer.

    Layer normalisation bounds what critics say of actions nobody tried (Ball et al., RLPD, 2023).
    """

    def __init__(self, obs_dim: int, action_dim: int, hidden: int) -> None:
        super().__init__((obs_dim + action_dim, hidden, hidden, 1), n=2, norm=1e-5)

    def values(self, obs: Tensor, action: Tensor, tape: Tape | None = None) -> Tensor:
        """Values (2, b) of observations (b, o) and actions (b, a)."""
        return self(torch.cat([obs, action], dim=-1), tape).squeeze(-1)
