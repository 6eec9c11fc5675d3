"""The learner's networks behind Stable-Baselines3's policy interface."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from daytwo.errors import InputError
from daytwo.policies.networks import Actor, Critics, Normalizer


class LearnerPolicy(BasePolicy):
    """Actor, its average over updates, critics, target critics and observation scale.

    Args:
        observation_space: one-dimensional Box.
        action_space: one-dimensional, bounded Box; actions inside are in [-1, 1].
        hidden: units of each hidden layer.
        noise: standard deviation of the actions at the start, and at most.
        secret: last elements of an observation that only critics see.
        fine: elements that are seen finely, too.
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.spaces.Box,
        hidden: int = 256,
        noise: float = 0.2,
        secret: int = 0,
        fine: Sequence[int] = (),
    ) -> None:
        super().__init__(observation_space, action_space, squash_output=True)
        assert observation_space.shape is not None
        obs, action = observation_space.shape[0], action_space.shape[0]
        self.scale = Normalizer(obs, fine)
        self.actor = Actor(self.scale.size, action, hidden, noise, secret)
        self.steady = deepcopy(self.actor).requires_grad_(False)  # averaged: what acts
        self.critic = Critics(self.scale.size, action, hidden)
        self.critic_target = deepcopy(self.critic).requires_grad_(False)

    def predict(
        self,
        observation: NDArray[Any] | dict[str, NDArray[Any]],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[Any], tuple[NDArray[Any], ...] | None]:
        """As in Stable-Baselines3; InputError for an observation that is not finite."""
        check_finite("observation", np.atleast_2d(np.asarray(observation, dtype=np.float32)))
        return super().predict(observation, state, episode_start, deterministic)

    def forward(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        return self._predict(observation, deterministic)

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        """Actions (n, a) in [-1, 1]; exploration draws from torch's global generator."""
        assert isinstance(observation, Tensor)
        obs = self.scale(observation.float())
        if deterministic:
            return torch.tanh(self.steady.gaussian(obs)[0])
        mean, log_std = self.actor.gaussian(obs)
        return torch.tanh(mean + torch.randn_like(mean) * log_std.exp())


def check_finite(what: str, values: NDArray[np.floating]) -> None:
    """Refuse values (n,) or (n, k) of n environments that are not finite; InputError names one."""
    if not np.isfinite(values).all():
        where = np.argwhere(~np.isfinite(values))[0]
        element = f", element {where[1]}" if len(where) > 1 else ""
        raise InputError(
            f"{what} of environment {where[0]}{element} is {values[tuple(where)]}; "
            "every number must be finite"
        )


def check_spaces(observation: gym.Space[Any], action: gym.Space[Any]) -> None:
    """Refuse spaces that the policy has no networks for; InputError names the one found."""
    box = gym.spaces.Box
    if not isinstance(observation, box) or observation.shape is None or len(observation.shape) != 1:
        raise InputError(
            f"observation space {observation}: expected a one-dimensional Box; wrap the "
            "environment with gymnasium.wrappers.FlattenObservation"
        )
    bounded = isinstance(action, box) and action.is_bounded() and (action.low < action.high).all()
    if not bounded or len(action.shape or ()) != 1:
        raise InputError(
            f"action space {action}: expected a one-dimensional, bounded Box with a range in each "
            "element"
        )
