"""Steps FetchPickAndPlace-v4 with random actions; runs inside the peer's own environment.

Reads a number of seconds per line from stdin, answers `steps seconds` per line.
"""

import sys
import time

import gymnasium as gym
import gymnasium_robotics
import numpy as np

gym.register_envs(gymnasium_robotics)
env = gym.make("FetchPickAndPlace-v4")
rng = np.random.default_rng(int(sys.argv[1]))
obs, info = env.reset(seed=int(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    seconds, steps, start = float(line), 0, time.perf_counter()
    while (now := time.perf_counter()) - start < seconds:
        obs, reward, terminated, truncated, info = env.step(rng.uniform(-1, 1, 4))
        steps += 1
        if terminated or truncated:
            obs, info = env.reset()
    if not np.isfinite(obs["observation"]).all():
        sys.exit("the peer's observation is not finite")
    print(steps, now - start, flush=True)
