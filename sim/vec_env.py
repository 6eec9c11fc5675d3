"""The batched world as a Stable-Baselines3 `VecEnv`, stepping in a thread beside the caller."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvStepReturn

from daytwo.sim.arms import Arm
from daytwo.sim.believed import Blur
from daytwo.sim.context import Ranges
from daytwo.sim.exercise import ExerciseSampler, UniformSampler
from daytwo.sim.observation import OBS_DIM
from daytwo.sim.tasks.base import ACTION
from daytwo.sim.world import StepResult, World

OBSERVATION_SPACE = gym.spaces.Box(-np.inf, np.inf, (OBS_DIM,), np.float32)
ACTION_SPACE = gym.spaces.Box(-1.0, 1.0, (len(ACTION),), np.float32)


class BatchVecEnv(VecEnv):
    """n simulations that draw their next exercise from a sampler when an attempt ends.

    `step_async` starts the physics in a thread and returns, so a learner can compute until
    `step_wait`; results do not depend on the timing.

    Args:
        arm: the arm.
        tasks: names of the tasks that the sampler indexes.
        n: number of simulations.
        sampler: chooses exercises; uniform over tasks and difficulty if None.
        seed: of the exercises drawn.
        threads: of the physics; 0 uses every core.
        ranges: of the hidden conditions, drawn anew each attempt; None: see `World`.
        blind: nothing is believed of them; else what is true, blurred on purpose.
    """

    def __init__(
        self,
        arm: Arm,
        tasks: Sequence[str],
        n: int,
        sampler: ExerciseSampler | None = None,
        seed: int = 0,
        threads: int = 0,
        ranges: Ranges | None = None,
        blind: bool = False,
    ) -> None:
        self.world = World(arm, tasks, n, threads, ranges=ranges)
        self._blur = None if ranges is None or blind else Blur(seed)
        self.sampler: ExerciseSampler = sampler or UniformSampler(len(tasks))
        self.render_mode = None
        observations = gym.spaces.Box(-np.inf, np.inf, (self.world.obs_dim,), np.float32)
        super().__init__(n, observations, ACTION_SPACE)
        self._rng = np.random.default_rng(seed)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="world")
        self._pending: Future[StepResult] | None = None
        self._return = np.zeros(n)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the exercises drawn from now on; `reset` then repeats exactly."""
        self._rng = np.random.default_rng(seed)
        if self._blur is not None:
            self._blur = Blur(seed or 0)
        return [seed] * self.num_envs

    def reset(self) -> NDArray[np.float32]:
        self._draw(np.arange(self.num_envs))
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return self.world.observe()

    def step_async(self, actions: NDArray[np.float32]) -> None:
        own = np.array(actions)  # the caller may use its array again before `step_wait`
        self._pending = self._pool.submit(self.world.step, own)

    def step_wait(self) -> VecEnvStepReturn:
        assert self._pending is not None, "step_wait() without step_async()"
        result = self._pending.result()
        self._pending = None
        self._return += result.reward
        done = result.terminated | result.truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        obs = result.obs
        ids = np.flatnonzero(done)
        if len(ids):
            for i in ids.tolist():
                infos[i] = self._episode_info(i, result)
            task, difficulty = self.world.task[ids], self.world.difficulty[ids]
            self.sampler.record(task, difficulty, result.success[ids])
            self._draw(ids)
        if self._blur is not None:
            self._blur.waver(self.world)
        if len(ids) or self._blur is not None:
            obs = self.world.observe()
        return obs, result.reward, done, infos

    def _episode_info(self, i: int, result: StepResult) -> dict[str, Any]:
        world, success = self.world, bool(result.success[i])
        return {
            "task": world.tasks[world.task[i]].name,
            "difficulty": float(world.difficulty[i]),
            "success": success,
            "is_success": success,
            "episode": {"r": float(self._return[i]), "l": int(world.steps[i]), "t": 0.0},
            "terminal_observation": result.obs[i],
            "TimeLimit.truncated": bool(result.truncated[i]),
        }

    def _draw(self, ids: NDArray[np.int64]) -> None:
        task, difficulty = self.sampler.draw(len(ids), self._rng)
        # Practice draws its seeds below 2**31; exams take theirs from above (see curricula.exam).
        self.world.reset(ids, task, difficulty, self._rng.integers(2**31, size=len(ids)))
        if self._blur is not None:
            self._blur(self.world, ids)
        self._return[ids] = 0.0

    def close(self) -> None:
        self._pool.shutdown()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        value = getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        raise AttributeError(
            f"BatchVecEnv has no method '{method_name}' per environment: its simulations are one "
            "batch; call `env.world` instead"
        )

    def env_is_wrapped(self, wrapper_class: Any, indices: VecEnvIndices = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        return [None] * self.num_envs
