"""Our batch as a goal environment, so that hindsight relabelling (HER) can be tried on it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from daytwo.sim.observation import OBSERVATION
from daytwo.sim.predicates import PREDICATES, TOLERANCE, evaluate
from daytwo.sim.vec_env import OBSERVATION_SPACE, BatchVecEnv

Goals = NDArray[np.float32]  # (k, 4)
_AT = [PREDICATES.index(name) for name in ("ee_at_goal", "object_at_goal")]


class GoalVecEnv(VecEnvWrapper):
    """Observations {observation, achieved_goal, desired_goal}; the reward is 1 on success.

    A goal is a position in the base frame and whether everything else that the task asks for
    holds (released, not lifted, ...), so that a relabelled reward means what the real one means.
    What of the observation depends on the goal is left out of `observation`.
    """

    venv: BatchVecEnv

    def __init__(self, venv: BatchVecEnv) -> None:
        goal = gym.spaces.Box(-np.inf, np.inf, (4,), np.float32)
        spaces: dict[str, gym.Space[Any]] = {
            "observation": OBSERVATION_SPACE,
            "achieved_goal": goal,
            "desired_goal": goal,
        }
        super().__init__(venv, observation_space=gym.spaces.Dict(spaces))
        self._last: dict[str, NDArray[np.float32]] = {}

    def reset(self) -> VecEnvObs:
        self._last = self._observe(self.venv.reset())
        return self._last

    def step_wait(self) -> VecEnvStepReturn:
        # The batch has begun new attempts when it returns, so the goals reached are read before.
        world = self.venv.world
        pending = self.venv._pending
        assert pending is not None
        pending.result()
        achieved, desired = self._goals()
        obs, _, done, infos = self.venv.step_wait()
        for i in np.flatnonzero(done):
            infos[i]["terminal_observation"] = {
                "observation": _without_goal(infos[i]["terminal_observation"]),
                "achieved_goal": achieved[i],
                "desired_goal": desired[i],
            }
        reward = self.compute_reward(achieved, desired, infos)
        assert world.n == len(reward)
        return self._observe(obs), reward, done, infos

    def compute_reward(self, achieved: Goals, desired: Goals, infos: Any) -> NDArray[np.float32]:
        """1 where the position is reached and all else holds, (k,)."""
        near = np.linalg.norm(achieved[..., :3] - desired[..., :3], axis=-1) < TOLERANCE
        return (near & (achieved[..., 3] > 0.5)).astype(np.float32)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **_: Any) -> list[Any]:
        assert method_name == "compute_reward", method_name
        return [self.compute_reward(*args)]

    def _observe(self, obs: Any) -> dict[str, NDArray[np.float32]]:
        achieved, desired = self._goals()
        return {
            "observation": _without_goal(obs),
            "achieved_goal": achieved,
            "desired_goal": desired,
        }

    def _goals(self) -> tuple[Goals, Goals]:
        world, state = self.venv.world, self.venv.world.state
        wanted = world.descriptors[world.task]
        moves_object = wanted[:, _AT[1]] == 1
        achieved = np.where(moves_object[:, None], state.p_object[:, 0], state.p_ee)
        holds = evaluate(state)
        holds[:, _AT] = True  # the position is what the goal says
        fine = ((wanted != 1) | holds) & ((wanted != -1) | ~holds)
        ones = np.ones((world.n, 1))
        reached = np.concatenate([achieved, fine.all(axis=1, keepdims=True)], axis=1)
        return reached.astype(np.float32), np.hstack([state.p_goal, ones]).astype(np.float32)


def _without_goal(obs: NDArray[np.float32]) -> NDArray[np.float32]:
    out = obs.copy()
    for name in ("ee_to_goal", "object_to_goal"):
        out[..., OBSERVATION[name]] = 0.0
    return out
