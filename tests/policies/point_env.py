"""A small sparse world, for tests that train: bring a point to a goal."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from daytwo.memory.episodes import Episode

Array = NDArray[np.float32]
HORIZON = 30
NEAR = 0.15
STEP = 0.15


class PointEnv(gym.Env[Array, Array]):
    """Reward 1 for coming near the goal, which ends the attempt; nothing else.

    Args:
        low, high: range of the action's elements; either end moves the point by STEP.
    """

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        self.observation_space = gym.spaces.Box(-2.0, 2.0, (4,), np.float32)
        self.action_space = gym.spaces.Box(low, high, (2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        self.point, self.goal = self.np_random.uniform(-1, 1, (2, 2)).astype(np.float32)
        self.steps = 0
        return self._observe(), {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        space = self.action_space
        assert isinstance(space, gym.spaces.Box)
        assert space.contains(np.asarray(action, np.float32)), action
        middle, half = (space.high + space.low) / 2, (space.high - space.low) / 2
        self.point = np.clip(self.point + STEP * (action - middle) / half, -1, 1).astype(np.float32)
        self.steps += 1
        success = bool(np.linalg.norm(self.goal - self.point) < NEAR)
        cut_off = self.steps >= HORIZON and not success
        return self._observe(), float(success), success, cut_off, {"is_success": success}

    def _observe(self) -> Array:
        return np.concatenate([self.point, self.goal - self.point])


def show(n: int, speed: float = 0.5, seed: int = 0, **kwargs: Any) -> list[Episode]:
    """n worked examples: straight to the goal, at part of the speed there is."""
    env, shown = PointEnv(**kwargs), []
    space = env.action_space
    assert isinstance(space, gym.spaces.Box)
    middle, half = (space.high + space.low) / 2, (space.high - space.low) / 2
    env.reset(seed=seed)
    for _ in range(n):
        obs, actions, rewards, over = [env.reset()[0]], [], [], False
        while not over:
            to_goal = obs[-1][2:]
            direction = to_goal / max(float(np.linalg.norm(to_goal)), 1e-6)
            actions.append((middle + half * speed * direction).astype(np.float32))
            after, reward, terminated, truncated, _ = env.step(actions[-1])
            obs.append(after)
            rewards.append(reward)
            over = terminated or truncated
        shown.append(
            Episode(
                np.array(obs), np.array(actions), np.array(rewards), terminated, bool(rewards[-1])
            )
        )
    return shown


def attempt(policy: Any, n: int, seed: int = 10_000) -> tuple[float, float]:
    """Share of n attempts that succeed, and the steps they take on average."""
    envs = [PointEnv() for _ in range(n)]
    obs = np.array([env.reset(seed=seed + i)[0] for i, env in enumerate(envs)])
    running, success, steps = np.ones(n, bool), np.zeros(n, bool), np.zeros(n)
    while running.any():
        action, _ = policy.predict(obs, deterministic=True)
        steps += running
        for i in np.flatnonzero(running):
            obs[i], _, terminated, truncated, info = envs[i].step(action[i])
            running[i], success[i] = not (terminated or truncated), info["is_success"]
    return float(success.mean()), float(steps.mean())
