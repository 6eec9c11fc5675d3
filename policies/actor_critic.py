"""Networks of the learner, and how a batch of what it remembers moves them.

Soft actor-critic (Haarnoja et al., 2018) of which half of each batch is what worked (RLPD, Ball et
al. 2023). What has once been reached bounds the critics from below (MCAC, Wilcox et al. 2022). The
actor imitates the good half and, as far as the critics have matured, climbs their estimate
(Fujimoto and Gu, TD3+BC, 2021, for the balance of the two).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from stable_baselines3 import SAC
from torch import Tensor

from daytwo.memory.past import Past
from daytwo.memory.replay import Layout, Replay, Successes
from daytwo.policies.cloning import cloning_loss
from daytwo.policies.config import LearnerConfig
from daytwo.policies.mlp import Tape
from daytwo.policies.networks import average
from daytwo.policies.policy import LearnerPolicy
from daytwo.policies.resume import OPTIMIZERS


class ActorCritic(SAC):
    """What `daytwo.policies.learner.Learner` is made of; nothing is practised here."""

    policy: LearnerPolicy  # type: ignore[assignment]
    config: LearnerConfig
    practice: Replay  # of today
    successes: Successes  # worked examples, and what worked today
    log_ent_coef: Tensor
    ent_coef_optimizer: torch.optim.Adam
    target_entropy: float

    def _setup_model(self) -> None:
        config = self.config
        self._setup_lr_schedule()
        self.set_random_seed(self.seed)
        obs, action = self.observation_space.shape, self.action_space.shape
        assert obs is not None
        assert action is not None
        self.policy = LearnerPolicy(
            self.observation_space,
            self.action_space,  # type: ignore[arg-type]
            config.hidden,
            config.noise,
            config.secret,
            config.fine,
        ).to(self.device)
        self.layout = Layout(obs[0], action[0])
        self.past = Past(self.layout, self.device)
        # No more than the noise allows, or its coefficient would grow for ever.
        most = np.log(config.noise) + 0.5 * np.log(2 * np.pi * np.e) - 0.3
        self.target_entropy = min(config.entropy_per_action, float(most)) * action[0]
        self.log_ent_coef = torch.full((), np.log(config.entropy), device=self.device)
        self.log_ent_coef.requires_grad_(True)
        self.fresh_optimizers()
        self.rng = torch.Generator(device=self.device).manual_seed(self.seed or 0)
        self.n_updates = 0  # updates of all kinds
        self.averaged = 0  # of these, in the average of the actor's weights, since it began anew
        self.cloned = 0  # of these, at the end of the last cloning: the critics mature from there
        self.uncloned = 0  # cloning updates that worked examples taken in are still due
        self.curves: dict[str, Tensor] = {}  # of the latest update, for the log

    def fresh_optimizers(self) -> None:
        """Adam without moments, as at the start of a day."""
        policy, config = self.policy, self.config

        def adam(parameters: Any, rate: float) -> torch.optim.Adam:
            return torch.optim.Adam(parameters, lr=rate, fused=True)

        self.actor_optimizer = adam(policy.actor.parameters(), config.actor_rate)
        self.critic_optimizer = adam(policy.critic.parameters(), config.critic_rate)
        self.ent_coef_optimizer = adam([self.log_ent_coef], config.entropy_rate)

    @torch.no_grad()
    def act(self, obs: Tensor) -> Tensor:
        """The policy's actions (k, a) in [-1, 1] for observations (k, o), without noise."""
        return torch.tanh(self.policy.steady.gaussian(self.policy.scale(obs))[0])

    def _average(self) -> None:
        """Take the latest weights of the actor into its average."""
        self.averaged += 1
        average(self.policy.steady.flat, self.policy.actor.flat, self.averaged)

    def imitate(self, updates: int) -> None:
        """Clone the worked examples, and what is to be kept of the past, before practice."""
        self.actor_optimizer.param_groups[0]["lr"] = self.config.warm_rate
        n_past = self._n_past()
        n_good = self.config.batch_size - n_past
        for _ in range(updates):
            obs, shown, *_ = self.layout.split(self.successes.sample(n_good, self.rng))
            if n_past:
                old, keep = self.past.sample(n_past, self.rng)
                obs, shown = torch.cat([obs, old[:, : self.layout.obs]]), torch.cat([shown, keep])
            mean, _ = self.policy.actor.gaussian(self.policy.scale(obs))
            self._descend(self.actor_optimizer, cloning_loss(mean, shown))
            self._average()
        self.actor_optimizer.param_groups[0]["lr"] = self.config.actor_rate
        self.n_updates += updates
        if updates:
            self.cloned = self.n_updates
        self.uncloned = max(0, self.uncloned - updates)

    @torch.no_grad()
    def update(self) -> None:
        """One gradient update of critics, actor and entropy coefficient.

        Losses are followed by their derivatives by what the networks put out; see
        `daytwo.policies.mlp` for why.
        """
        config, policy = self.config, self.policy
        n_past = self._n_past()
        n_good = int(config.good_share * (config.batch_size - n_past)) if len(self.successes) else 0
        parts = [self.practice.sample(config.batch_size - n_past - n_good, self.rng)]
        if n_good:
            parts.append(self.successes.sample(n_good, self.rng))
        if n_past:
            old, keep = self.past.sample(n_past, self.rng)
            parts.append(old)
        obs, action, reward, goes_on, next_obs, bound = self.layout.split(torch.cat(parts))
        today = len(obs) - n_past
        good, past = slice(today - n_good, today), slice(today, None)
        obs, next_obs = policy.scale(obs), policy.scale(next_obs)
        noise, next_noise = self._noise(2 * len(obs)).chunk(2)
        entropy, tape = self.log_ent_coef.exp(), Tape()

        # Critics: the mean over the batch of (q - target)^2, of both critics.
        then = policy.actor.sample(next_obs, next_noise)
        next_q = policy.critic_target.values(next_obs, then.action).amin(0)
        next_q -= entropy * then.log_prob
        target = torch.maximum(reward + config.discount * goes_on * next_q, bound)
        off_target = policy.critic.values(obs, action, tape) - target
        policy.critic.weight_gradient(tape, (2 / len(obs) * off_target).unsqueeze(-1))
        self.critic_optimizer.step()

        # Actor: climb * mean(entropy * log_prob - value) + cloning * cloning_loss.
        tried = policy.actor.sample(obs, noise)
        q = policy.critic.values(obs, tried.action, tape)
        value, critic = q.min(0, keepdim=True)
        maturity = min(1.0, (self.n_updates - self.cloned) / max(config.ramp_updates, 1))
        climb = maturity * config.q_weight / value.abs().mean().clamp_min(1e-3) / len(obs)
        climb = climb.expand(len(obs)).clone()
        climb[past] = 0.0  # of the past, what was learnt is kept
        by_q = torch.zeros_like(q).scatter_(0, critic, -climb.unsqueeze(0))
        by_action = policy.critic.input_gradient(tape, by_q.unsqueeze(-1), start=policy.scale.size)
        by_log_prob = climb * entropy
        by_mean = torch.zeros_like(action)
        if n_good:
            off = tried.mean_action[good] - action[good]
            by_mean[good] = 2 * config.cloning / n_good * off
        if n_past:
            by_mean[past] = 2 * config.anchor / n_past * (tried.mean_action[past] - keep)
        policy.actor.gradient(tried, by_action, by_log_prob, by_mean)
        self.actor_optimizer.step()
        self._average()

        # Entropy coefficient: -log_ent_coef * mean(log_prob + target_entropy).
        self.log_ent_coef.grad = -(tried.log_prob[:today].mean() + self.target_entropy)
        self.ent_coef_optimizer.step()
        policy.critic_target.flat.lerp_(policy.critic.flat, self.tau)
        self.n_updates += 1
        self.curves = {"critic_loss": off_target.square(), "value": value, "ent_coef": entropy}

    def _n_past(self) -> int:
        """Transitions of a batch that come from the past: as many of each task, while few."""
        share = min(self.config.past_share * len(self.past.tasks), self.config.past_most)
        return int(share * self.config.batch_size)

    @staticmethod
    def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    def _noise(self, n: int) -> Tensor:
        return torch.randn((n, self.layout.action), generator=self.rng, device=self.device)

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return ["policy", *OPTIMIZERS], ["log_ent_coef"]  # for get_parameters, set_parameters
