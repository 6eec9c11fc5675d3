"""Gymnasium faces: `gymnasium.make("daytwo/Place-v0")` and `gymnasium.make_vec(...)`.

Importing this module registers the ids; `gymnasium.make("daytwo.sim.gym_env:daytwo/Place-v0")`
does so by itself. (Gymnasium 1 no longer looks for entry points of installed packages.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from daytwo.sim.arms import load_arm
from daytwo.sim.render import Camera
from daytwo.sim.scene import CONTROL_HZ
from daytwo.sim.tasks import task_names
from daytwo.sim.vec_env import ACTION_SPACE, OBSERVATION_SPACE
from daytwo.sim.world import World


class TaskEnv(gym.Env[NDArray[np.float32], NDArray[np.float32]]):
    """One arm at one kind of exercise.

    Args:
        task: its name.
        arm: name of an arm or path of an arm.yaml.
        difficulty: range that `reset` draws from; `reset(options={"difficulty": d})` sets it.
        render_mode: "rgb_array" or None.
    """

    metadata = {  # noqa: RUF012 (as in the base class)
        "render_modes": ["rgb_array"],
        "render_fps": int(CONTROL_HZ),
    }

    def __init__(
        self,
        task: str,
        arm: str | Path = "panda",
        difficulty: tuple[float, float] = (0.0, 1.0),
        render_mode: str | None = None,
        width: int = 480,
        height: int = 360,
    ) -> None:
        self.world = World(load_arm(arm), (task,), n=1, threads=1)
        self.observation_space, self.action_space = OBSERVATION_SPACE, ACTION_SPACE
        self.difficulty = difficulty
        self.render_mode = render_mode
        self._camera = Camera(self.world, width, height) if render_mode else None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        difficulty = (options or {}).get("difficulty", self.np_random.uniform(*self.difficulty))
        self.world.reset(0, 0, difficulty, self.np_random.integers(2**31))
        return self.world.observe()[0], {"difficulty": float(difficulty)}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        result = self.world.step(np.asarray(action)[None])
        success = bool(result.success[0])
        info = {"success": success, "is_success": success}
        ended = bool(result.terminated[0]), bool(result.truncated[0])
        return result.obs[0], float(result.reward[0]), *ended, info

    def render(self) -> NDArray[np.uint8] | None:
        return self._camera.frame(0) if self._camera else None

    def close(self) -> None:
        if self._camera:
            self._camera.close()


class TaskVectorEnv(VectorEnv[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]):
    """n arms at one kind of exercise, one batch; an ended attempt is reset in the same step."""

    metadata = {  # noqa: RUF012 (as in the base class)
        "autoreset_mode": AutoresetMode.SAME_STEP,
        "render_modes": [],
    }

    def __init__(
        self,
        task: str,
        num_envs: int = 1,
        arm: str | Path = "panda",
        difficulty: tuple[float, float] = (0.0, 1.0),
        threads: int = 0,
    ) -> None:
        self.world = World(load_arm(arm), (task,), num_envs, threads)
        self.num_envs, self.difficulty, self.render_mode = num_envs, difficulty, None
        self.single_observation_space, self.single_action_space = OBSERVATION_SPACE, ACTION_SPACE
        batch = gym.vector.utils.batch_space
        self.observation_space = batch(OBSERVATION_SPACE, num_envs)
        self.action_space = batch(ACTION_SPACE, num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed if not isinstance(seed, list) else seed[0])
        self._draw(np.arange(self.num_envs))
        return self.world.observe(), {}

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[
        NDArray[np.float32],
        NDArray[np.float64],
        NDArray[np.bool_],
        NDArray[np.bool_],
        dict[str, Any],
    ]:
        result = self.world.step(actions)
        outcome = {"success": result.success, "is_success": result.success}
        info: dict[str, Any] = dict(outcome)
        done = result.terminated | result.truncated
        obs = result.obs
        if done.any():
            final = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(done):
                final[i] = obs[i]
            info |= {"final_obs": final, "_final_obs": done}
            info |= {"final_info": outcome, "_final_info": done}
            self._draw(np.flatnonzero(done))
            obs = self.world.observe()
        return obs, result.reward.astype(np.float64), result.terminated, result.truncated, info

    def _draw(self, ids: NDArray[np.int64]) -> None:
        difficulty = self.np_random.uniform(*self.difficulty, size=len(ids))
        seeds = self.np_random.integers(2**31, size=len(ids))
        self.world.reset(ids, np.zeros(len(ids), dtype=np.int64), difficulty, seeds)


def register_envs() -> None:
    """Announce `daytwo/<Task>-v0` for every task; harmless when repeated."""
    for name in task_names():
        env_id = f"daytwo/{name.capitalize()}-v0"
        if env_id not in gym.registry:
            gym.register(
                env_id,
                entry_point="daytwo.sim.gym_env:TaskEnv",
                vector_entry_point="daytwo.sim.gym_env:TaskVectorEnv",
                kwargs={"task": name},
            )


register_envs()
