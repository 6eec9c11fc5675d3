"""The learner on environments that are not ours, with and without worked examples (a minute).

    python examples/train_any_env.py

Any Gymnasium environment with Box observations and actions will do: give its id, the environment
itself or a Stable-Baselines3 `VecEnv`. Worked examples are a list of `Episode`, or a folder of them
(`daytwo.memory.episodes.save_episodes`). Report `info["is_success"]`, and the learner also keeps
its own successes.
"""

import argparse

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from daytwo.memory.episodes import Episode
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner

# The defaults are for sparse tasks with worked examples. A small one needs smaller networks, ...
SPARSE = LearnerConfig(hidden=64, batch_size=128, discount=0.99, warm_updates=500)
# ... and rewards at every step, without examples, more exploration and more updates.
DENSE = LearnerConfig(
    hidden=128, batch_size=256, good_share=0.0, tau=0.02, noise=0.6, entropy=0.2,
    entropy_per_action=-1.0, ramp_updates=0, updates_per_step=2, start_after=500,
)  # fmt: skip


def swing_up(n: int) -> list[Episode]:
    """Worked examples for the mountain car: push the way it is rolling."""
    env, shown = gym.make("MountainCarContinuous-v0"), []
    for seed in range(n):
        obs, actions, rewards, terminated = [env.reset(seed=seed)[0]], [], [], False
        while not terminated:
            actions.append(np.sign(obs[-1][1:]))
            after, reward, terminated, *_ = env.step(actions[-1])
            obs.append(after)
            rewards.append(reward)
        arrays = (np.array(x, np.float32) for x in (obs, actions, rewards))
        shown.append(Episode(*arrays, terminated=True, success=True))
    return shown


def study(env_id: str, demos: list[Episode] | None, config: LearnerConfig, steps: int) -> None:
    learner = Learner(make_vec_env(env_id, 4, seed=0), demos, config, seed=0).learn(steps)
    mean, _ = evaluate_policy(learner, make_vec_env(env_id, 4, seed=1), n_eval_episodes=12)
    print(f"{env_id:26} {len(demos or ()):2} worked examples  mean return {mean:7.1f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=8000, help="of each environment's study")
    steps = parser.parse_args().steps
    torch.set_num_threads(1)  # networks this small only lose time between threads
    study("MountainCarContinuous-v0", None, SPARSE, steps)  # hardly ever finds the top: about 0
    study("MountainCarContinuous-v0", swing_up(10), SPARSE, steps)  # about 92 of 100
    study("Pendulum-v1", None, DENSE, steps)  # about -170; a random policy gets -1200
