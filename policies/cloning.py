"""Behaviour cloning: what imitation alone reaches, as a baseline and as a warm start."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional as F

from daytwo.errors import InputError
from daytwo.memory.episodes import Demonstrations, Episode, check_layout, load_episodes
from daytwo.policies.config import LearnerConfig
from daytwo.policies.networks import average
from daytwo.policies.policy import LearnerPolicy


def cloning_loss(mean: Tensor, shown: Tensor) -> Tensor:
    """How far the policy's mean actions tanh(mean) are from the ones shown, (b, a) each.

    The matching loss of tanh, 2 (log cosh(mean) - shown mean) up to a constant: its gradient is the
    difference of the actions itself, so that it does not vanish where a policy is sure of the
    wrong thing (Auer, Herbster and Warmuth, NIPS 1995). A squared error's does, and what was
    learnt yesterday, always to shut the gripper say, would be hard to unlearn today.
    """
    size = mean.abs()
    log_cosh = size + F.softplus(-2 * size) - math.log(2)
    return 2 * (log_cosh - shown * mean).sum(-1).mean()


UPDATES = 5000  # by which imitation has come as far as it does


def clone(
    demos: Demonstrations,
    updates: int = UPDATES,
    seed: int = 0,
    config: LearnerConfig | None = None,
    scale: ArrayLike | None = None,
    done: Callable[[int], None] = lambda more: None,
) -> LearnerPolicy:
    """A policy that imitates worked examples and nothing else.

    Same actor, observation scale, batch size and learning rate as the learner's.

    Args:
        demos: episodes or a folder of them; actions in [-1, 1].
        updates: gradient updates.
        seed: of initial weights and batches.
        config: the learner's settings, of which the actor's are used.
        scale: typical size (o,) of each observation element; None to standardise by what is shown.
        done: called with how many updates more are made.

    Returns:
        A policy with Stable-Baselines3's `predict`.
    """
    config = config or LearnerConfig()
    episodes: Sequence[Episode] = load_episodes(demos)
    if not episodes:
        raise InputError("cloning: there is no demonstration to imitate")
    first = episodes[0]
    check_layout(episodes, first.observations.shape[1], first.actions.shape[1])
    obs = torch.from_numpy(np.concatenate([e.observations[:-1] for e in episodes]))
    shown = torch.from_numpy(np.concatenate([e.actions for e in episodes]))
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        policy = LearnerPolicy(
            gym.spaces.Box(-np.inf, np.inf, (obs.shape[1],)),
            gym.spaces.Box(-1.0, 1.0, (shown.shape[1],)),
            hidden=config.hidden,
            secret=config.secret,
            fine=config.fine,
        )
    if scale is None:
        policy.scale.update(obs)
    else:
        policy.scale.fix(torch.as_tensor(np.asarray(scale, dtype=np.float32)))
    optimizer = torch.optim.Adam(policy.actor.parameters(), lr=config.warm_rate, fused=True)
    for k in range(1, updates + 1):
        batch = torch.randint(len(obs), (config.batch_size,), generator=generator)
        mean, _ = policy.actor.gaussian(policy.scale(obs[batch]))
        loss = cloning_loss(mean, shown[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average(policy.steady.flat, policy.actor.flat, k)
        done(1)
    return policy
