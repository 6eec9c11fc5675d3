"""Networks: a squashed Gaussian actor, two critics computed as one, and the observation scale."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MIN_STD = 1e-3  # an observation element that hardly varies is not blown up beyond this
CLIP = 5.0  # standardised observations stay within
LOG_STD = (-5.0, 1.0)  # range of the actor's log standard deviation


class Normalizer(nn.Module):
    """Running mean and variance of observations (Chan et al., parallel variance, 1979)."""

    mean: Tensor
    var: Tensor
    count: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("var", torch.ones(dim))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, obs: Tensor) -> Tensor:
        """Standardise observations (b, o)."""
        return ((obs - self.mean) / self.var.sqrt().clamp_min(MIN_STD)).clamp(-CLIP, CLIP)

    @torch.no_grad()
    def update(self, obs: Tensor) -> None:
        """Take observations (k, o) into account."""
        k = len(obs)
        total = self.count + k
        shift = obs.mean(0) - self.mean
        spread = obs.var(0, unbiased=False) * k + self.var * self.count
        self.var.copy_((spread + shift**2 * self.count * k / total) / total)
        self.mean.add_(shift * k / total)
        self.count.fill_(total)


class Actor(nn.Module):
    """Gaussian over actions, squashed by tanh (Haarnoja et al., 2018, app. C)."""

    def __init__(self, obs_dim: int, action_dim: int, hidden: int, noise: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.head = nn.Linear(hidden, 2 * action_dim)
        with torch.no_grad():  # start with the same small noise in every state
            self.head.weight[action_dim:] = 0.0
            self.head.bias[action_dim:] = math.log(noise)

    def forward(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation before tanh, (b, a) each."""
        mean, log_std = self.head(self.body(obs)).chunk(2, dim=-1)
        return mean, log_std.clamp(*LOG_STD)

    def sample(self, obs: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Actions (b, a) from standard normal `noise`, their log-probability (b,), the mean's
        action (b, a).
        """
        mean, log_std = self(obs)
        u = mean + noise * log_std.exp()
        log_prob = (-0.5 * noise**2 - log_std - 0.5 * math.log(2 * math.pi)).sum(-1)
        log_prob = log_prob - 2 * (math.log(2) - u - F.softplus(-2 * u)).sum(-1)
        return torch.tanh(u), log_prob, torch.tanh(mean)


class Critics(nn.Module):
    """Two critics with layer normalisation, as one batched product a layer.

    Layer normalisation bounds what critics say of actions nobody tried (Ball et al., RLPD, 2023).
    """

    def __init__(self, obs_dim: int, action_dim: int, hidden: int) -> None:
        super().__init__()
        sizes = (obs_dim + action_dim, hidden, hidden, 1)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for n_in, n_out in zip(sizes, sizes[1:], strict=False):
            bound = 1 / math.sqrt(n_in)  # as nn.Linear
            self.weights.append(nn.Parameter(torch.empty(2, n_in, n_out).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(2, 1, n_out).uniform_(-bound, bound)))

    def forward(self, obs: Tensor, action: Tensor) -> Tensor:
        """Values (2, b) of observations (b, o) and actions (b, a)."""
        x = torch.cat([obs, action], dim=-1).expand(2, -1, -1)
        for i in range(2):
            x = torch.baddbmm(self.biases[i], x, self.weights[i])
            x = F.relu(F.layer_norm(x, x.shape[-1:]))
        return torch.baddbmm(self.biases[2], x, self.weights[2]).squeeze(-1)
