"""Gradient updates per second beside stock Stable-Baselines3 SAC, interleaved."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.sac.policies import SACPolicy
from torch import nn

from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner

OBS, ACTION, HIDDEN, BATCH = 30, 4, 256, 256
STORED = 20_000  # transitions in replay


class Silent(gym.Env[np.ndarray, np.ndarray]):
    """Spaces of a small manipulation task; never stepped."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (OBS,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (ACTION,), np.float32)


class NormedSAC(SACPolicy):
    """Stock policy whose critics have our layer normalisation."""

    def make_critic(self, features_extractor: Any = None) -> Any:
        critic = super().make_critic(features_extractor or FlattenExtractor(self.observation_space))
        for i, net in enumerate(critic.q_networks):
            layers: list[nn.Module] = []
            for layer in net.children():
                layers.append(layer)
                if isinstance(layer, nn.Linear) and layer.out_features == HIDDEN:
                    layers.append(nn.LayerNorm(HIDDEN, elementwise_affine=False))
            critic.q_networks[i] = nn.Sequential(*layers)
            setattr(critic, f"qf{i}", critic.q_networks[i])
        critic.optimizer = torch.optim.Adam(critic.parameters(), lr=3e-4)
        return critic.to(self.device)


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """Measure on one thread, as the learner runs beside the physics, and on two.

    Rounds follow each other so that a busy machine slows all alike; ratios are medians of each
    round's own ratio. Stable-Baselines3 runs at the learner's precision of products; as installed,
    at PyTorch's own, which is slower and, where the learner takes another, no more accurate.
    """
    rounds, seconds = (5, 2.0) if quick else (15, 4.0)
    ours, stock, plain = _learner(seed), _sac(NormedSAC, seed), _sac(SACPolicy, seed)
    contestants: dict[str, Callable[[], None]] = {
        "learner": ours.update,
        "sb3": lambda: stock.train(gradient_steps=1, batch_size=BATCH),
        "sb3_without_layer_norm": lambda: plain.train(gradient_steps=1, batch_size=BATCH),
        "gemm": _gemm(),
        "sb3_as_installed": lambda: stock.train(gradient_steps=1, batch_size=BATCH),
    }
    precision = torch.get_float32_matmul_precision()  # the learner's choice
    before = torch.get_num_threads()
    by_threads = {}
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            rates: dict[str, list[float]] = {name: [] for name in contestants}
            for _ in range(rounds):
                for name, call in contestants.items():
                    as_installed = name == "sb3_as_installed"
                    torch.set_float32_matmul_precision("highest" if as_installed else precision)
                    rates[name].append(_rate(call, seconds / len(contestants)))
            by_threads[threads] = _figures(rates)
    finally:
        torch.set_num_threads(before)
        torch.set_float32_matmul_precision(precision)
    return {
        **by_threads[1],
        "two_threads": by_threads[2],
        "settings": {
            "obs": OBS,
            "action": ACTION,
            "hidden": [HIDDEN, HIDDEN],
            "batch": BATCH,
            "rounds": rounds,
            "seconds_per_round": seconds,
            "seed": seed,
            "matmul_precision": precision,
        },
    }


def flops() -> float:
    """Floating point operations in the matrix products of one of the learner's updates."""
    first, hidden, last = (OBS + ACTION) * HIDDEN, HIDDEN * HIDDEN, HIDDEN
    critics = 2 * (
        3 * (first + hidden + last)  # forward: targets, values, values of the actor's actions
        + (first + hidden + last)  # the weights' gradients
        + 2 * (hidden + last)  # back through the layers, for the weights and for the actions
        + ACTION * HIDDEN  # to the actions
    )
    first, last = OBS * HIDDEN, HIDDEN * 2 * ACTION
    actor = 2 * (first + hidden + last)  # forward: at the next observation and at this one
    actor += (first + hidden + last) + (hidden + last)  # the weights' gradients, and back
    return 2.0 * BATCH * (critics + actor)


def _figures(rates: dict[str, list[float]]) -> dict[str, float]:
    ours, sb3 = np.array(rates["learner"]), np.array(rates["sb3"])
    plain, gemm = np.array(rates["sb3_without_layer_norm"]), np.array(rates["gemm"])
    installed = np.array(rates["sb3_as_installed"])
    return {
        "updates_per_s": round(median(ours), 1),
        "sb3_updates_per_s": round(median(sb3), 1),
        "sb3_ratio": round(median(ours / sb3), 2),
        "sb3_as_installed_ratio": round(median(ours / installed), 2),
        "sb3_without_layer_norm_ratio": round(median(ours / plain), 2),
        "gemm_gflops": round(median(gemm) * GEMM_FLOP / 1e9, 1),
        "gemm_fraction": round(median(ours * flops() / (gemm * GEMM_FLOP)), 3),
    }


GEMM_FLOP = 2.0 * 2 * BATCH * HIDDEN * HIDDEN  # of one product as the hidden layer's


def _gemm() -> Callable[[], None]:
    x, w = torch.randn(2, BATCH, HIDDEN), torch.randn(2, HIDDEN, HIDDEN)
    out = torch.empty(2, BATCH, HIDDEN)

    def multiply() -> None:
        torch.bmm(x, w, out=out)

    return multiply


def _learner(seed: int) -> Learner:
    config = LearnerConfig(batch_size=BATCH, hidden=HIDDEN, practice_size=STORED)
    learner = Learner(Silent(), config=config, seed=seed, device="cpu")
    rng = np.random.default_rng(seed)
    for _ in range(STORED):
        obs, after = rng.normal(size=(2, 1, OBS)).astype(np.float32)
        action = rng.uniform(-1, 1, (1, ACTION)).astype(np.float32)
        ended = np.zeros(1, dtype=bool)
        rows = learner.layout.rows(obs, action, np.zeros(1, np.float32), ended, after)
        learner.practice.add(rows, ended)
    return learner


def _sac(policy: type[SACPolicy], seed: int) -> SAC:
    sac = SAC(
        policy,
        Silent(),
        batch_size=BATCH,
        buffer_size=STORED,
        policy_kwargs={"net_arch": [HIDDEN, HIDDEN]},
        seed=seed,
        device="cpu",
    )
    rng = np.random.default_rng(seed)
    buffer = sac.replay_buffer
    assert buffer is not None
    for _ in range(STORED):
        obs, after = rng.normal(size=(2, 1, OBS)).astype(np.float32)
        action = rng.uniform(-1, 1, (1, ACTION)).astype(np.float32)
        buffer.add(obs, after, action, np.zeros(1), np.zeros(1), [{}])
    sac.set_logger(Logger(None, []))
    return sac


def _rate(call: Callable[[], None], seconds: float) -> float:
    calls, start = 0, time.perf_counter()
    while (now := time.perf_counter()) - start < seconds:
        call()
        calls += 1
    return calls / (now - start)
