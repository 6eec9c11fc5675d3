"""The Gymnasium faces: both checkers, both ways to make them, seeds and pictures."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from daytwo.errors import InputError
from daytwo.sim.gl import has_egl
from daytwo.sim.gym_env import TaskEnv, TaskVectorEnv, register_envs
from daytwo.sim.observation import OBS_DIM
from daytwo.sim.tasks import task_names

IDS = [f"daytwo/{name.capitalize()}-v0" for name in task_names()]


@pytest.mark.parametrize("env_id", IDS)
def test_both_checkers_pass(env_id: str) -> None:
    env = gym.make(env_id)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Velocities and distances have no bound that says anything.
        warnings.filterwarnings("ignore", message=".*A Box observation space m.*imum value is.*")
        check_env(env.unwrapped, skip_render_check=True)
        sb3_check_env(env.unwrapped)
    env.close()


def test_ids_are_registered_once_for_every_task() -> None:
    before = dict(gym.registry)
    register_envs()
    assert dict(gym.registry) == before
    assert sorted(i for i in gym.registry if i.startswith("daytwo/")) == sorted(IDS)


def expert_run(env: gym.Env, seed: int) -> tuple[list[NDArray[np.float32]], float, dict[str, bool]]:
    obs, info = env.reset(seed=seed, options={"difficulty": 0.3})
    assert info == {"difficulty": 0.3}
    seen, total, over = [obs], 0.0, False
    while not over:
        task_env = env.unwrapped
        assert isinstance(task_env, TaskEnv)
        action = task_env.world.expert_action()[0].astype(np.float32)
        obs, reward, terminated, truncated, info = env.step(action)
        seen.append(obs)
        total += reward
        over = terminated or truncated
    return seen, total, info


def test_the_same_seed_gives_the_same_numbers() -> None:
    one, other = gym.make(IDS[0], arm="panda"), gym.make(IDS[0])
    first, total, info = expert_run(one, seed=3)
    assert info == {"success": True, "is_success": True}
    assert total > 0.7
    expert_run(one, seed=4)
    for env in (one, other):
        again, _, _ = expert_run(env, seed=3)
        assert np.array_equal(np.array(first), np.array(again))
    assert not np.array_equal(first[0], expert_run(other, seed=4)[0][0])


def test_an_attempt_is_cut_off_at_the_horizon() -> None:
    env = gym.make(IDS[0])
    env.reset(seed=0, options={"difficulty": 1.0})
    t, terminated, truncated = 0, False, False
    while not (terminated or truncated):
        *_, terminated, truncated, info = env.step(np.zeros(5, np.float32))
        t += 1
    assert (terminated, truncated, info["success"]) == (False, True, False)
    task_env = env.unwrapped
    assert isinstance(task_env, TaskEnv)
    assert t == task_env.world.horizons[0]


def test_the_range_of_difficulty_is_drawn_from() -> None:
    env = gym.make(IDS[0], difficulty=(0.4, 0.5))
    drawn = [env.reset(seed=seed)[1]["difficulty"] for seed in range(20)]
    assert 0.4 <= min(drawn) < 0.45 < max(drawn) <= 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"arm": "pandas"}, "unknown arm 'pandas'; available: panda"), ({"arm": "x.yaml"}, "x.yaml")],
)
def test_an_unknown_arm_is_named(settings: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        gym.make(IDS[0], **settings)


@pytest.mark.parametrize("difficulty", [-0.5, 2.0, float("nan")])
def test_a_difficulty_out_of_range_is_refused(difficulty: float) -> None:
    env = gym.make(IDS[0])
    with pytest.raises(InputError, match=r"difficulty must lie in \[0, 1\]"):
        env.reset(seed=0, options={"difficulty": difficulty})


# Vectorised.


def vector_run(env: gym.vector.VectorEnv, steps: int) -> list[NDArray[np.float32]]:
    obs, _ = env.reset(seed=2)
    seen, rng = [obs], np.random.default_rng(0)
    for _ in range(steps):
        obs, *_ = env.step(rng.uniform(-1, 1, (env.num_envs, 5)).astype(np.float32))
        seen.append(obs)
    return seen


def test_make_vec_gives_one_batch_whose_seed_repeats() -> None:
    env = gym.make_vec(IDS[1], num_envs=3, difficulty=(0.0, 0.2))
    assert isinstance(env.unwrapped, TaskVectorEnv)
    assert env.observation_space.shape == (3, OBS_DIM)
    assert env.action_space.shape == (3, 5)
    first = vector_run(env, 110)  # some attempts end within
    assert all(env.observation_space.contains(obs) for obs in first)
    assert np.array_equal(np.array(first), np.array(vector_run(env, 110)))
    env.close()


def test_an_ended_attempt_is_reset_in_the_same_step() -> None:
    env = gym.make_vec(IDS[0], num_envs=4, difficulty=(0.0, 0.1))
    vector = env.unwrapped
    assert isinstance(vector, TaskVectorEnv)
    env.reset(seed=0)
    ended = 0
    for _ in range(80):
        action = vector.world.expert_action().astype(np.float32)
        action[3] = 0  # this one is cut off
        obs, reward, terminated, truncated, info = env.step(action)
        done = terminated | truncated
        assert ("final_obs" in info) == done.any()
        assert (vector.world.steps[done] == 0).all()
        ended += int(done.sum())
        for i in np.flatnonzero(done):
            assert info["_final_obs"][i]
            assert not np.array_equal(info["final_obs"][i], obs[i])
            assert info["final_info"]["success"][i] == info["success"][i] == terminated[i]
            assert (reward[i] > 0.7) == terminated[i]
    assert ended > 4


def test_make_vec_of_single_environments_works_too() -> None:
    env = gym.make_vec(IDS[0], num_envs=2, vectorization_mode="sync")
    obs, _ = env.reset(seed=[1, 2])
    assert obs.shape == (2, OBS_DIM)
    assert np.isfinite(env.step(np.zeros((2, 5), np.float32))[0]).all()
    env.close()


# Pictures.


@pytest.mark.skipif(not has_egl(), reason="no libEGL here; without it, see the next test")
def test_render_gives_a_picture() -> None:
    env = gym.make(IDS[1], render_mode="rgb_array", width=120, height=90)
    env.reset(seed=0)
    frame = env.render()
    assert isinstance(frame, np.ndarray)
    assert (frame.shape, frame.dtype) == ((90, 120, 3), np.uint8)
    assert frame.std() > 10  # not blank
    env.close()


FOUND_BY_MODULE = """
import gymnasium
env = gymnasium.make("daytwo.sim.gym_env:daytwo/Reach-v0")
env.reset(seed=0)
assert env.render() is None
from daytwo.errors import InputError
try:
    gymnasium.make("daytwo/Reach-v0", render_mode="rgb_array")
except InputError as error:
    print(error)
"""


@pytest.mark.slow
def test_gymnasium_alone_finds_an_id_and_without_gl_only_pictures_are_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FOUND_BY_MODULE],
        env=os.environ | {"MUJOCO_GL": "disabled"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "MUJOCO_GL=egl" in done.stdout
    assert len(done.stdout.splitlines()) == 1
