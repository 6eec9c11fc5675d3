"""The learner: learns on any environment with Box spaces, and refuses what it cannot use."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from point_env import PointEnv, attempt, show
from stable_baselines3.common.callbacks import (
    BaseCallback,
    EvalCallback,
    StopTrainingOnRewardThreshold,
)
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from daytwo.errors import InputError
from daytwo.memory.episodes import Episode, save_episodes
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner

TINY = LearnerConfig(
    hidden=16, batch_size=32, practice_size=2000, success_size=500, start_after=50, warm_updates=20
)
QUICK = LearnerConfig(
    hidden=64, batch_size=64, practice_size=20_000, success_size=10_000, start_after=200,
    warm_updates=200, ramp_updates=100, actor_rate=3e-3, critic_rate=3e-3, tau=0.02,
    discount=0.9, cloning=0.3,
)  # fmt: skip


def points(n: int = 2, **kwargs: Any) -> DummyVecEnv:
    return DummyVecEnv([lambda: PointEnv(**kwargs)] * n)


# Learning.


@pytest.mark.slow
def test_learns_a_sparse_task_better_than_it_was_shown() -> None:
    shown = show(10)
    learner = Learner(points(8), shown, QUICK, seed=1)
    before, _ = attempt(learner, 40)
    learner.learn(6000)
    rate, steps = attempt(learner, 40)
    assert before < 0.5
    assert rate >= 0.9
    assert steps < 0.9 * np.mean([len(e) for e in shown])  # imitation alone would be as slow


def test_the_same_seed_gives_the_same_learner() -> None:
    def train(seed: int) -> torch.Tensor:
        learner = Learner(points(), show(2), TINY, seed=seed)
        learner.learn(120)
        return torch.cat([p.flatten() for p in learner.policy.parameters()])

    one, again, other = train(3), train(3), train(4)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_an_episode_cut_short_by_a_second_learn_is_not_joined_to_the_next() -> None:
    learner = Learner(points(), show(5), QUICK, seed=0)
    for _ in range(12):
        learner.learn(14)  # ends within an episode
    rows = learner.successes.own[: learner.successes.filled]
    assert len(rows) > 0
    obs, _, _, goes_on, next_obs, bound = learner.layout.split(rows)
    inner = goes_on[:-1] == 1
    assert torch.equal(next_obs[:-1][inner], obs[1:][inner])
    assert torch.allclose(bound[:-1][inner], QUICK.discount * bound[1:][inner])


# What it takes.


def test_trains_on_a_gymnasium_id() -> None:
    learner = Learner("Pendulum-v1", config=TINY, seed=0).learn(120)
    assert learner.num_timesteps == 120
    assert learner.n_updates > 0


def test_trains_on_one_environment_and_on_many() -> None:
    for env, n in ((PointEnv(), 1), (points(5), 5)):
        learner = Learner(env, None, TINY, seed=0).learn(200)
        assert learner.n_envs == n
        assert len(learner.practice) == 200


def test_takes_demonstrations_from_a_folder(tmp_path: Path) -> None:
    shown = show(3)
    save_episodes(shown, tmp_path / "demos")
    one, other = (Learner(points(), d, TINY) for d in (shown, tmp_path / "demos"))
    assert len(one.successes.examples) == sum(len(e) for e in shown)
    assert torch.equal(one.successes.examples, other.successes.examples)


def test_updates_may_begin_at_once() -> None:
    Learner(points(), None, replace(TINY, start_after=0)).learn(20)


def test_actions_of_another_range_are_rescaled() -> None:
    """The environment checks that each action lies within [2, 10]; inside it is [-1, 1]."""
    shown = show(3, low=2.0, high=10.0)
    assert min(e.actions.min() for e in shown) > 2
    learner = Learner(points(low=2.0, high=10.0), shown, TINY, seed=0)
    plain = Learner(points(), show(3), TINY, seed=0)
    assert torch.allclose(learner.successes.examples, plain.successes.examples, atol=1e-5)
    learner.learn(200)
    assert learner.layout.split(learner.practice.data.flatten(0, 1))[1].abs().max() <= 1
    obs = np.random.default_rng(0).uniform(-1, 1, (100, 4)).astype(np.float32)
    action, _ = learner.predict(obs, deterministic=False)
    assert ((action >= 2) & (action <= 10)).all()
    assert np.ptp(action) > 1


# Prediction.


def test_predict_takes_one_observation_or_a_batch() -> None:
    learner = Learner(points(), None, TINY, seed=0)
    obs = np.random.default_rng(0).uniform(-1, 1, (7, 4)).astype(np.float32)
    batch, state = learner.predict(obs, deterministic=True)
    assert state is None
    assert batch.shape == (7, 2)
    single, _ = learner.predict(obs[3], deterministic=True)
    assert single.shape == (2,)
    np.testing.assert_allclose(single, batch[3], rtol=1e-5, atol=1e-6)
    assert np.array_equal(learner.predict(obs, deterministic=True)[0], batch)
    assert not np.array_equal(learner.predict(obs)[0], learner.predict(obs)[0])  # it explores
    assert np.array_equal(learner.policy.predict(obs, deterministic=True)[0], batch)


# Stable-Baselines3's surroundings.


class Count(BaseCallback):
    def __init__(self, stop_at: int) -> None:
        super().__init__()
        self.stop_at, self.calls, self.starts, self.ends = stop_at, 0, 0, 0
        self.episodes = 0

    def _on_training_start(self) -> None:
        self.starts += 1

    def _on_step(self) -> bool:
        self.calls += 1
        self.episodes += int(self.locals["dones"].sum())
        return self.calls < self.stop_at

    def _on_training_end(self) -> None:
        self.ends += 1


def test_callbacks_see_every_step_and_may_stop() -> None:
    counts = Count(stop_at=60), Count(stop_at=10**9)
    learner = Learner(points(3), None, TINY, seed=0)
    learner.learn(10_000, callback=list(counts))
    assert [c.calls for c in counts] == [60, 60]
    assert [(c.starts, c.ends) for c in counts] == [(1, 1)] * 2
    assert learner.num_timesteps == 180
    assert counts[0].episodes == learner._episode_num > 0


def test_stock_evaluation_callback_works(tmp_path: Path) -> None:
    stop = StopTrainingOnRewardThreshold(0.0)
    evaluation = EvalCallback(
        Monitor(PointEnv()), stop, eval_freq=50, n_eval_episodes=2,
        best_model_save_path=str(tmp_path), verbose=0,
    )  # fmt: skip
    learner = Learner(points(), show(5), QUICK, seed=0)
    learner.learn(400, callback=evaluation)
    assert (tmp_path / "best_model" / "manifest.json").exists()


def test_tensorboard_gets_curves(tmp_path: Path) -> None:
    learner = Learner(PointEnv(), None, TINY, seed=0, tensorboard_log=str(tmp_path))
    learner.learn(400, log_interval=20, tb_log_name="point")
    events = EventAccumulator(str(tmp_path / "point_1"))
    events.Reload()
    names = events.Tags()["scalars"]
    assert {"rollout/ep_rew_mean", "rollout/success_rate", "time/fps"} <= set(names)
    assert {"train/critic_loss", "train/value", "train/ent_coef"} <= set(names)
    losses = [event.value for event in events.Scalars("train/critic_loss")]
    assert min(losses) > 0
    assert len(set(losses)) > 1
    steps = [event.step for event in events.Scalars("rollout/ep_rew_mean")]
    assert steps == sorted(steps)
    assert len(steps) >= 3


# Bad input.


class Spaces(PointEnv):
    def __init__(self, observation: Any = None, action: Any = None) -> None:
        super().__init__()
        self.observation_space = observation or self.observation_space
        self.action_space = action or self.action_space


BOX = gym.spaces.Box


@pytest.mark.parametrize(
    ("spaces", "message"),
    [
        ({"action": gym.spaces.Discrete(3)}, "action space .*Discrete.*bounded Box"),
        ({"action": BOX(-np.inf, np.inf, (2,))}, "action space .*bounded Box"),
        ({"action": BOX(-1, 1, (2, 2))}, "action space .*one-dimensional"),
        ({"action": BOX(1, 1, (2,))}, "action space .*range"),
        ({"observation": gym.spaces.Discrete(3)}, "observation space Discrete.*Box"),
        ({"observation": gym.spaces.Dict(a=BOX(-1, 1, (2,)))}, "observation space Dict.*Flatten"),
        ({"observation": BOX(-1, 1, (2, 2))}, "observation space .*Flatten"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("vectorised", [False, True])
def test_spaces_it_cannot_learn_in_are_named(
    spaces: dict[str, Any], message: str, vectorised: bool
) -> None:
    env: Any = Spaces(**spaces)
    with pytest.raises(InputError, match=message):
        Learner(DummyVecEnv([lambda: env]) if vectorised else env, None, TINY)


def test_an_id_with_discrete_actions_is_refused() -> None:
    with pytest.raises(InputError, match=r"action space Discrete\(2\)"):
        Learner("CartPole-v1", config=TINY)


class Breaks(PointEnv):
    """Gives a bad number from some step on."""

    def __init__(self, what: str, bad: float, at: int = 5) -> None:
        super().__init__()
        self.what, self.bad, self.at, self.total = what, bad, at, 0

    def reset(self, **kwargs: Any) -> Any:
        obs, info = super().reset(**kwargs)
        if self.what == "reset":
            obs[1] = self.bad
        return obs, info

    def step(self, action: Any) -> Any:
        obs, reward, terminated, truncated, info = super().step(action)
        self.total += 1
        if self.total >= self.at:
            if self.what == "observation":
                obs[2] = self.bad
            elif self.what == "reward":
                reward = self.bad
        return obs, reward, terminated, truncated, info


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("observation", "observation of environment 1, element 2 is (nan|inf)"),
        ("reward", "reward of environment 1 is (nan|inf)"),
        ("reset", "observation of environment 1, element 1 is (nan|inf)"),
    ],
)
def test_a_number_that_is_not_finite_is_named_and_not_kept(
    what: str, message: str, bad: float
) -> None:
    env = DummyVecEnv([PointEnv, lambda: Breaks(what, bad)])
    learner = Learner(env, None, TINY, seed=0)
    with pytest.raises(InputError, match=message):
        learner.learn(100)
    assert torch.isfinite(learner.practice.data[..., :-1]).all()
    assert all(torch.isfinite(p).all() for p in learner.policy.parameters())


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_predict_refuses_an_observation_that_is_not_finite(bad: float) -> None:
    learner = Learner(points(), None, TINY, seed=0)
    obs = np.zeros((3, 4), np.float32)
    obs[2, 1] = bad
    with pytest.raises(InputError, match=r"observation.* 2, element 1 is (nan|-inf)"):
        learner.predict(obs)
    with pytest.raises(InputError, match=r"observation.* 0, element 1"):
        learner.predict(obs[2])


def demo(**change: Any) -> Episode:
    good = show(1)[0]
    arrays = {k: change.get(k, getattr(good, k)) for k in ("observations", "actions", "rewards")}
    return Episode(**arrays, terminated=True, success=True)


def test_demonstrations_that_do_not_fit_are_named() -> None:
    steps = len(demo())
    for bad, message in (
        ([], "no episode"),
        ([demo(), demo(observations=np.zeros((steps + 1, 3)))], "demonstration 1: observations"),
        ([demo(actions=np.zeros((steps, 3)))], "demonstration 0: actions have 3 .* have 2"),
        ([demo(actions=np.full((steps, 2), 1.5))], "outside the environment's range"),
        ("nowhere", "no folder nowhere"),
        ([1, 2], "list of Episode"),
    ):
        with pytest.raises(InputError, match=message):
            Learner(points(), bad, TINY)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"actions\[0, 1\] is nan"):
        demo(actions=np.full((steps, 2), [[0, np.nan]]))


@pytest.mark.parametrize(
    ("field", "bad"),
    [(f, b) for f, b in itertools.product(["good_share", "discount", "tau"], [-0.1, 1.1, np.nan])]
    + [("batch_size", 0), ("hidden", 0), ("practice_size", -1), ("noise", -1.0), ("tau", "much")]
    + [("hidden", 3.5), ("entropy_per_action", np.nan), ("actor_rate", np.inf)],
)  # fmt: skip
def test_settings_out_of_range_are_named(field: str, bad: Any) -> None:
    with pytest.raises(InputError, match=field):
        LearnerConfig(**{field: bad})
