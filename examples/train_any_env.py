"""Train on an environment that daytwo did not write, with and without worked examples.

MountainCarContinuous-v0 pays at the top of the hill alone and charges for every push before: from
scratch, a learner finds that doing nothing is cheapest. Ten rides by a simple rule show it the top.

    python examples/train_any_env.py
"""

import time
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from daytwo.memory.episodes import Episode
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner

ENV = "MountainCarContinuous-v0"
STEPS = 10_000  # environment steps of practice


def ride(env: gym.Env[Any, Any], seed: int) -> Episode:
    """Push the way the car already rolls, until it is at the top."""
    obs, actions, rewards = [env.reset(seed=seed)[0]], [], []
    over = False
    while not over:
        actions.append(np.where(obs[-1][1:] > 0, 0.8, -0.8))
        after, reward, terminated, truncated, _ = env.step(actions[-1])
        obs.append(after)
        rewards.append(reward)
        over = terminated or truncated
    return Episode(np.array(obs), np.array(actions), np.array(rewards), terminated, terminated)


def main() -> None:
    rides = [ride(gym.make(ENV), seed) for seed in range(10)]
    shown = np.mean([ride.rewards.sum() for ride in rides])
    print(f"{len(rides)} worked examples: mean return {shown:.1f}")

    config = LearnerConfig(hidden=64, batch_size=128, start_after=500, warm_updates=500)
    for name, demos in (("with them", rides), ("without", None)):
        begun = time.perf_counter()
        learner = Learner(make_vec_env(ENV, n_envs=8), demos=demos, config=config, seed=0)
        learner.learn(STEPS)
        mean, std = evaluate_policy(learner, make_vec_env(ENV, seed=1_000), n_eval_episodes=20)
        seconds = time.perf_counter() - begun
        print(f"{name}: mean return {mean:.1f} ± {std:.1f} after {STEPS} steps, {seconds:.0f} s")


if __name__ == "__main__":
    main()
