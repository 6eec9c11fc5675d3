"""The batched world as a VecEnv: Stable-Baselines3's contract, seeds, overlap, samplers."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from stable_baselines3 import A2C, DDPG, PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from daytwo.errors import InputError
from daytwo.sim.arms import load_arm
from daytwo.sim.exercise import UniformSampler
from daytwo.sim.vec_env import ACTION_SPACE, OBSERVATION_SPACE, BatchVecEnv
from daytwo.sim.world import World

TASKS = ("reach", "push")
N = 6


class Notebook(UniformSampler):
    """Draws as the uniform one does and writes everything down."""

    def __init__(self) -> None:
        super().__init__(len(TASKS), (0.2, 0.6))
        self.drawn: list[tuple[int, float]] = []
        self.recorded: list[tuple[int, float, bool]] = []

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        task, difficulty = super().draw(n, rng)
        self.drawn += zip(task.tolist(), difficulty.tolist(), strict=True)
        return task, difficulty

    def record(self, task: Any, difficulty: Any, success: Any) -> None:
        self.recorded += zip(task.tolist(), difficulty.tolist(), success.tolist(), strict=True)


def make(sampler: Any = None, n: int = N, threads: int = 1) -> BatchVecEnv:
    return BatchVecEnv(load_arm("panda"), TASKS, n, sampler, seed=3, threads=threads)


@pytest.fixture
def env() -> Iterator[BatchVecEnv]:
    env = make()
    yield env
    env.close()


def experts(env: BatchVecEnv, rng: np.random.Generator) -> NDArray[np.float32]:
    """The expert in even simulations, noise in odd ones, so that some succeed and some do not."""
    action = env.world.expert_action()
    action[1::2] = rng.uniform(-1, 1, action[1::2].shape)
    return action.astype(np.float32)


def test_shapes_and_types(env: BatchVecEnv) -> None:
    obs = env.reset()
    assert obs.shape == (N, *OBSERVATION_SPACE.shape)
    assert obs.dtype == np.float32
    obs, reward, done, infos = env.step(np.zeros((N, *ACTION_SPACE.shape), np.float32))
    assert obs.shape == (N, *OBSERVATION_SPACE.shape)
    assert (obs.dtype, reward.dtype, done.dtype) == (np.float32, np.float32, np.bool_)
    assert reward.shape == done.shape == (N,)
    assert infos == [{}] * N
    assert env.get_attr("num_envs", [0, 2]) == [N, N]
    assert env.env_is_wrapped(VecMonitor) == [False] * N
    with pytest.raises(AttributeError, match=r"one\s+batch"):
        env.env_method("render")


def test_it_is_the_world_with_resets() -> None:
    """Step by step beside a bare world that is reset by hand: nothing is added, nothing lost."""
    sampler = Notebook()
    env, rng = make(sampler), np.random.default_rng(0)
    world = World(env.world.arm, TASKS, N, threads=1)
    draws, own = UniformSampler(len(TASKS), (0.2, 0.6)), np.random.default_rng(11)

    def reset(ids: NDArray[np.int64]) -> None:
        task, difficulty = draws.draw(len(ids), own)
        world.reset(ids, task, difficulty, own.integers(2**31, size=len(ids)))

    env.seed(11)
    obs = env.reset()
    reset(np.arange(N))
    returns, finished, ends = np.zeros(N), [], set()
    for _ in range(130):
        assert np.array_equal(obs, world.observe())
        action = experts(env, rng)
        obs, reward, done, infos = env.step(action)
        result = world.step(action)
        returns += result.reward
        assert np.array_equal(reward, result.reward)
        assert np.array_equal(done, result.terminated | result.truncated)
        for i in range(N):
            if not done[i]:
                assert infos[i] == {}
                continue
            info, success = infos[i], bool(result.success[i])
            assert np.array_equal(info["terminal_observation"], result.obs[i])
            assert info["TimeLimit.truncated"] is bool(result.truncated[i])
            assert info["is_success"] is info["success"] is success
            assert info["task"] == TASKS[world.task[i]]
            assert info["difficulty"] == world.difficulty[i]
            assert info["episode"]["l"] == world.steps[i]
            assert info["episode"]["r"] == pytest.approx(returns[i], abs=1e-5)
            finished.append((int(world.task[i]), info["difficulty"], success))
            ends.add((success, info["TimeLimit.truncated"]))
        if done.any():
            reset(np.flatnonzero(done))
            returns[done] = 0
    assert sampler.recorded == finished
    assert len(sampler.drawn) == N + len(finished)
    assert {(True, False), (False, True)} <= ends  # both ends were seen
    env.close()


def rollout(env: BatchVecEnv, steps: int = 60) -> NDArray[np.float32]:
    env.seed(5)
    seen, rng = [env.reset()], np.random.default_rng(0)
    for _ in range(steps):
        seen.append(env.step(experts(env, rng))[0])
    return np.array(seen)


def test_seeding_repeats_exactly_at_any_thread_count(env: BatchVecEnv) -> None:
    first = rollout(env)
    assert np.array_equal(first, rollout(env))  # whatever came before
    other = make(threads=3)
    assert np.array_equal(first, rollout(other))
    other.seed(6)
    assert not np.array_equal(first[0], other.reset())
    other.close()


def test_what_happens_between_async_and_wait_does_not_matter(env: BatchVecEnv) -> None:
    expected = rollout(env)
    env.seed(5)
    obs, rng = env.reset(), np.random.default_rng(0)
    for t in range(60):
        assert np.array_equal(obs, expected[t])
        action = experts(env, rng)
        env.step_async(action)
        action[:] = np.nan  # the caller may use its array again
        torch.rand(200, 200) @ torch.rand(200, 200)
        obs, *_ = env.step_wait()


def test_a_bad_action_is_refused_and_the_world_goes_on(env: BatchVecEnv) -> None:
    obs, action = env.reset(), np.zeros((N, 5), np.float32)
    action[1, 2] = np.nan
    env.step_async(action)
    with pytest.raises(InputError, match="simulation 1 is not finite in 'dz'"):
        env.step_wait()
    assert np.array_equal(env.world.observe(), obs)
    action[1, 2] = 0.5
    assert np.isfinite(env.step(action)[0]).all()


SMALL: dict[str, Any] = {"policy_kwargs": {"net_arch": [16]}, "device": "cpu", "seed": 0}
REPLAY: dict[str, Any] = SMALL | {"learning_starts": 40, "batch_size": 16, "buffer_size": 2000}


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        (A2C, SMALL | {"n_steps": 20}),
        (PPO, SMALL | {"n_steps": 20, "batch_size": 40, "n_epochs": 2}),
        (DDPG, REPLAY),
        (SAC, REPLAY),
        (TD3, REPLAY),
    ],
)
def test_every_stock_algorithm_trains(
    env: BatchVecEnv, algorithm: type[BaseAlgorithm], settings: dict[str, Any]
) -> None:
    torch.set_num_threads(1)
    learner = algorithm("MlpPolicy", env, **deepcopy(settings))  # they write into them
    before = [p.clone() for p in learner.policy.parameters()]
    learner.learn(600)
    assert learner.num_timesteps >= 600
    changed = [
        not torch.equal(a, b) for a, b in zip(before, learner.policy.parameters(), strict=True)
    ]
    assert any(changed)
    assert all(torch.isfinite(p).all() for p in learner.policy.parameters())
    assert len(learner.ep_info_buffer or ()) > 0
    assert len(learner.ep_success_buffer or ()) > 0


class Expert:
    """The scripted expert behind the policies' protocol."""

    def __init__(self, env: BatchVecEnv) -> None:
        self.env = env

    def predict(self, obs: Any, **_: Any) -> tuple[Any, None]:
        return self.env.world.expert_action(), None


def test_stock_evaluation_and_wrappers_work(env: BatchVecEnv) -> None:
    rewards, lengths = evaluate_policy(
        Expert(env), VecMonitor(env), n_eval_episodes=8, return_episode_rewards=True  # type: ignore[arg-type]
    )  # fmt: skip
    assert len(rewards) == len(lengths) == 8
    assert min(rewards) > 0.7  # each succeeds: 1, and the shaping
    wrapped = VecNormalize(env)
    wrapped.reset()
    assert np.isfinite(wrapped.step(np.zeros((N, 5), np.float32))[0]).all()
