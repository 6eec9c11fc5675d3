"""An update's written-out derivatives against autograd's of the losses they stand for."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from inward import gaussian
from point_env import PointEnv, show
from torch import Tensor
from torch.nn import functional as F

from daytwo.policies.cloning import cloning_loss
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.policies.networks import Actor

CONFIG = LearnerConfig(
    hidden=16, batch_size=64, practice_size=2000, success_size=500, start_after=50,
    warm_updates=20, ramp_updates=10, entropy=0.1,
)  # fmt: skip


def sample(actor: Actor, obs: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    mean, log_std = gaussian(actor, obs)
    u = mean + noise * log_std.exp()
    log_prob = torch.distributions.Normal(mean, log_std.exp()).log_prob(u)
    log_prob = log_prob - torch.log(4 * torch.sigmoid(2 * u) * torch.sigmoid(-2 * u))
    return torch.tanh(u), log_prob.sum(-1), mean


@pytest.mark.parametrize("days", [1, 2])
@pytest.mark.parametrize("taught", [True, False])
def test_update_descends_the_losses(taught: bool, days: int) -> None:
    demos = show(5) if taught else None
    config = replace(CONFIG, fine=(0, 2) if taught else ())
    learner = Learner(PointEnv(), demos=demos, config=config, seed=1, device="cpu")
    learner.learn(80)
    if days == 2:
        learner.end_day("yesterday", size=100)
        learner.begin_day()
        if taught:
            learner.teach(show(5))
        learner.learn(80, reset_num_timesteps=False)
        learner.learn(80, reset_num_timesteps=False)
    before, generator = deepcopy(learner.policy), learner.rng.get_state()
    entropy, maturity = learner.log_ent_coef.exp().item(), 1.0
    assert learner.n_updates - learner.cloned >= CONFIG.ramp_updates
    learner.update()

    # The same draws, in the same order.
    learner.rng.set_state(generator)
    n_past = int(CONFIG.past_share * CONFIG.batch_size) if days == 2 else 0
    n_good = (CONFIG.batch_size - n_past) // 2 if len(learner.successes) else 0
    parts = [learner.practice.sample(CONFIG.batch_size - n_past - n_good, learner.rng)]
    if n_good:
        parts.append(learner.successes.sample(n_good, learner.rng))
    if n_past:
        old, keep = learner.past.sample(n_past, learner.rng)
        parts.append(old)
    rows = torch.cat(parts)
    today = len(rows) - n_past
    noise, next_noise = learner._noise(2 * len(rows)).chunk(2)
    obs, action, reward, goes_on, next_obs, bound = learner.layout.split(rows)
    obs, next_obs = before.scale(obs), before.scale(next_obs)

    next_action, next_log_prob, _ = sample(before.actor, next_obs, next_noise)
    next_q = before.critic_target.values(next_obs, next_action).amin(0) - entropy * next_log_prob
    target = torch.maximum(reward + CONFIG.discount * goes_on * next_q, bound).detach()
    q = before.critic.values(obs, action)
    critic_loss = 2 * F.mse_loss(q, target.expand(2, -1))
    (expected,) = torch.autograd.grad(critic_loss, before.critic.flat)
    torch.testing.assert_close(learner.policy.critic.flat.grad, expected, rtol=1e-3, atol=1e-5)

    tried, log_prob, mean = sample(before.actor, obs, noise)
    value = learner.policy.critic.values(obs, tried).amin(0)  # of the critics just updated
    size = value.detach().abs().mean().clamp_min(1e-3)
    climb = (entropy * log_prob - value)[:today].sum() / len(rows) / size
    loss = maturity * CONFIG.q_weight * climb
    if n_good:
        good = slice(today - n_good, today)
        loss = loss + CONFIG.cloning * cloning_loss(mean[good], action[good])
    if n_past:
        loss = loss + CONFIG.anchor * cloning_loss(mean[today:], keep)
    (expected,) = torch.autograd.grad(loss, before.actor.flat)
    torch.testing.assert_close(learner.policy.actor.flat.grad, expected, rtol=1e-3, atol=1e-5)

    surprise = -(log_prob[:today].mean() + learner.target_entropy)
    torch.testing.assert_close(learner.log_ent_coef.grad, surprise.detach(), rtol=1e-4, atol=1e-5)
    moved = before.critic_target.flat.lerp(learner.policy.critic.flat, CONFIG.tau)
    torch.testing.assert_close(learner.policy.critic_target.flat, moved.detach())
