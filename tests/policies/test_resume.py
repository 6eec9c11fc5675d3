"""Going on from a checkpoint gives the numbers of never having stopped, to the bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from point_env import PointEnv, show
from stable_baselines3.common.vec_env import DummyVecEnv

from daytwo.errors import InputError
from daytwo.memory.checkpoint import load_checkpoint, save_checkpoint
from daytwo.policies.acting import ActingPolicy
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.policies.resume import restore, snapshot
from daytwo.sim.arms import load_arm
from daytwo.sim.vec_env import BatchVecEnv

CONFIG = LearnerConfig(
    hidden=24, batch_size=32, practice_size=500, success_size=200, start_after=60,
    warm_updates=30, ramp_updates=40,
)  # fmt: skip
OBS = np.random.default_rng(0).uniform(-1, 1, (50, 4)).astype(np.float32)


def points() -> DummyVecEnv:
    return DummyVecEnv([PointEnv] * 3)


def everything(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """All that a learner is, except for the wall-clock times of its latest episodes."""
    parts, meta = load_checkpoint(folder)
    for episode in meta["recent_episodes"]:
        del episode["t"]
    return parts, meta


def assert_equal(one: Path, other: Path) -> None:
    (parts, meta), (other_parts, other_meta) = everything(one), everything(other)
    assert meta == other_meta
    assert parts.keys() == other_parts.keys()
    for name, part in parts.items():
        assert part.keys() == other_parts[name].keys()
        for key, array in part.items():
            assert array.tobytes() == other_parts[name][key].tobytes(), f"{name}: {key}"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Learner, Path]:
    """A learner that saved in the middle of episodes, and went on; the replay has wrapped."""
    place = tmp_path_factory.mktemp("resume")
    learner = Learner(points(), show(3), CONFIG, seed=5).learn(550)
    assert learner.practice.length.any()
    learner.save(place / "middle", {"chapter": 3})
    learner.learn(150, reset_num_timesteps=False)
    learner.save(place / "end", {"chapter": 3})
    return learner, place


def test_a_loaded_learner_goes_on_exactly(saved: tuple[Learner, Path], tmp_path: Path) -> None:
    learner, place = saved
    loaded = Learner.load(place / "middle", points())
    assert loaded.num_timesteps == 552  # whole steps of three environments
    loaded.learn(150, reset_num_timesteps=False)
    loaded.save(tmp_path / "end", {"chapter": 3})
    assert_equal(place / "end", tmp_path / "end")
    one, other = (x.predict(OBS, deterministic=True)[0] for x in (learner, loaded))
    assert np.array_equal(one, other)


def test_saving_a_loaded_learner_changes_nothing(
    saved: tuple[Learner, Path], tmp_path: Path
) -> None:
    _, place = saved
    Learner.load(place / "middle", points()).save(tmp_path / "copy", {"chapter": 3})
    assert_equal(place / "middle", tmp_path / "copy")


WITHOUT_MUJOCO = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("mujoco", "pybullet"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
import numpy as np
import torch
torch.set_num_threads(1)
from point_env import PointEnv, show
from stable_baselines3.common.vec_env import DummyVecEnv
from daytwo.memory.episodes import save_episodes
from daytwo.policies.cloning import clone
from daytwo.policies.learner import Learner

middle, end, demos = sys.argv[1:]
np.random.seed(99); torch.manual_seed(99)  # nothing of the process may matter
learner = Learner.load(middle, DummyVecEnv([PointEnv] * 3))
learner.learn(150, reset_num_timesteps=False)
learner.save(end, {"chapter": 3})

save_episodes(show(2), demos)
Learner(PointEnv(), demos, learner.config).learn(80)
clone(demos, updates=5, config=learner.config)
assert not any(name.split(".")[0] in ("mujoco", "pybullet") for name in sys.modules)
"""


@pytest.mark.slow
def test_another_process_without_mujoco_goes_on_exactly(
    saved: tuple[Learner, Path], tmp_path: Path
) -> None:
    _, place = saved
    paths = [str(p) for p in (place / "middle", tmp_path / "end", tmp_path / "demos")]
    subprocess.run([sys.executable, "-c", WITHOUT_MUJOCO, *paths], check=True)
    assert_equal(place / "end", tmp_path / "end")


def test_goes_on_exactly_in_the_simulated_world(tmp_path: Path) -> None:
    def world() -> BatchVecEnv:
        return BatchVecEnv(load_arm("panda"), ("reach",), 6, seed=1)

    learner = Learner(world(), None, CONFIG, seed=5).learn(240)
    learner.save(tmp_path / "middle")
    learner.learn(150, reset_num_timesteps=False).save(tmp_path / "end")
    loaded = Learner.load(tmp_path / "middle", world())
    loaded.learn(150, reset_num_timesteps=False).save(tmp_path / "again")
    assert_equal(tmp_path / "end", tmp_path / "again")


def test_saving_does_not_change_what_is_learned_but_for_the_episodes_begun(
    tmp_path: Path,
) -> None:
    """Saves at the same instants, loaded or not: three stretches equal three loads."""
    straight = Learner(points(), show(2), CONFIG, seed=1)
    for i in range(3):
        straight.learn(90, reset_num_timesteps=False)
        straight.save(tmp_path / f"straight{i}")
    Learner(points(), show(2), CONFIG, seed=1).save(tmp_path / "hop")
    for _ in range(3):
        hop = Learner.load(tmp_path / "hop", points())
        hop.learn(90, reset_num_timesteps=False)
        hop.save(tmp_path / "hop")
    assert_equal(tmp_path / "straight2", tmp_path / "hop")


def test_without_an_environment_it_acts_but_does_not_practise(
    saved: tuple[Learner, Path],
) -> None:
    learner, place = saved
    loaded = Learner.load(place / "end")
    one, other = (x.predict(OBS, deterministic=True)[0] for x in (learner, loaded))
    assert np.array_equal(one, other)
    with pytest.raises(InputError, match="without an environment"):
        loaded.learn(10)


class Wider(PointEnv):
    def __init__(self, obs: int = 4, action_high: float = 1.0) -> None:
        super().__init__()
        self.observation_space = gym.spaces.Box(-2.0, 2.0, (obs,), np.float32)
        self.action_space = gym.spaces.Box(-1.0, action_high, (2,), np.float32)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (lambda: Wider(obs=5), r"observation_space .*\(4,\).* has .*\(5,\)"),
        (lambda: Wider(action_high=2.0), r"action_space .*1\.0.* has .*2\.0"),
    ],
)
def test_another_environment_is_refused_with_the_difference(
    saved: tuple[Learner, Path], env: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Learner.load(saved[1] / "end", DummyVecEnv([env] * 3))


def test_another_number_of_environments_is_refused(saved: tuple[Learner, Path]) -> None:
    with pytest.raises(InputError, match="3 environments at once; found 2"):
        Learner.load(saved[1] / "end", DummyVecEnv([PointEnv] * 2))


def test_another_algorithm_is_refused(saved: tuple[Learner, Path]) -> None:
    class Other(Learner):
        pass

    with pytest.raises(InputError, match="holds a 'Learner', expected 'Other'"):
        Other.load(saved[1] / "end", points())


@pytest.mark.parametrize("file", ["policy", "practice", "actor_optimizer"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, file: str) -> None:
    Learner(points(), None, CONFIG).save(tmp_path / "c")
    path = tmp_path / "c" / f"{file}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{file}\.safetensors is damaged"):
        Learner.load(tmp_path / "c", points())


def test_no_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        Learner.load(tmp_path / "nowhere", points())


def test_a_checkpoint_of_another_kind_of_device_goes_on(
    saved: tuple[Learner, Path], tmp_path: Path
) -> None:
    """A CUDA generator's state is 16 bytes long; no CPU generator can take it up."""
    parts, meta = load_checkpoint(saved[1] / "middle")
    parts["random"]["torch"] = np.arange(16, dtype=np.uint8)
    save_checkpoint(tmp_path / "cuda", parts, meta)
    loaded = Learner.load(tmp_path / "cuda", points(), device="cpu")
    updates = loaded.n_updates
    loaded.learn(30, reset_num_timesteps=False)
    assert loaded.n_updates > updates


# Without replay: what a version of the policy keeps.


def test_without_replay_all_but_the_episodes_is_kept(saved: tuple[Learner, Path]) -> None:
    learner, _ = saved
    parts, meta = snapshot(learner, replay=False)
    assert not {"practice", "successes", "past"} & parts.keys()
    assert {"policy", "actor_optimizer", "critic_optimizer", "random"} <= parts.keys()
    again = restore(Learner, parts, meta, device="cpu")
    assert again.n_envs == 1
    assert (len(again.practice), len(again.successes), len(again.past)) == (0, 0, 0)
    assert again.n_updates == learner.n_updates > 0
    assert again.config == learner.config
    copy, other = snapshot(again, replay=False)
    assert other == meta
    for name, part in snapshot(learner, replay=False)[0].items():
        for key, array in part.items():
            assert array.tobytes() == copy[name][key].tobytes(), f"{name}: {key}"


def test_with_replay_the_past_comes_back_and_is_drawn_the_same(tmp_path: Path) -> None:
    learner = Learner(points(), show(3), CONFIG, seed=5)
    for day in ("zeta", "alpha", "mid"):  # not in the order in which a checkpoint gives them back
        learner.learn(90, reset_num_timesteps=False)
        learner.end_day(day, size=60)
        learner.begin_day()
    learner.learn(90, reset_num_timesteps=False)
    learner.save(tmp_path / "middle")
    loaded = Learner.load(tmp_path / "middle", points())
    assert set(loaded.past.tasks) == {"alpha", "mid", "zeta"}
    for each in (learner, loaded):
        each.learn(60, reset_num_timesteps=False)
    learner.save(tmp_path / "end")
    loaded.save(tmp_path / "again")
    assert_equal(tmp_path / "end", tmp_path / "again")


ACTS = """
import sys
import numpy as np
import torch
torch.set_num_threads(1)
from daytwo.memory.checkpoint import load_checkpoint
from daytwo.policies.learner import Learner
from daytwo.policies.resume import restore

version, obs, out = sys.argv[1:]
np.random.seed(99); torch.manual_seed(99)
learner = restore(Learner, *load_checkpoint(version), device="cpu")
np.save(out, learner.predict(np.load(obs), deterministic=True)[0])
"""


@pytest.mark.slow
def test_restored_in_another_process_it_acts_the_same_to_the_bit(tmp_path: Path) -> None:
    scale = (0.5, 2.0, 1.0, 0.1)
    learner = Learner(points(), show(3), CONFIG, scale, seed=5, device="cpu").learn(120)
    save_checkpoint(tmp_path / "version", *snapshot(learner, replay=False))
    np.save(tmp_path / "obs.npy", OBS)
    paths = [str(tmp_path / name) for name in ("version", "obs.npy", "acts.npy")]
    subprocess.run([sys.executable, "-c", ACTS, *paths], check=True)
    here = learner.predict(OBS, deterministic=True)[0]
    assert np.abs(here).max() > 0.01
    assert np.load(tmp_path / "acts.npy").tobytes() == here.tobytes()


def test_a_checkpoint_from_before_weights_were_averaged_acts_by_the_latest(
    tmp_path: Path,
) -> None:
    learner = Learner(points(), demos=show(5), config=CONFIG, seed=1)
    learner.learn(300)
    learner.save(tmp_path / "new")
    parts, meta = load_checkpoint(tmp_path / "new")
    del parts["policy"]["steady.flat"]
    del meta["counters"]["averaged"]
    save_checkpoint(tmp_path / "old", parts, meta)
    old = Learner.load(tmp_path / "old")
    assert old.averaged == 0
    with torch.no_grad():
        latest = torch.tanh(old.policy.actor.gaussian(old.policy.scale(torch.from_numpy(OBS)))[0])
    np.testing.assert_allclose(old.predict(OBS, deterministic=True)[0], latest, atol=1e-6)
    np.testing.assert_allclose(
        ActingPolicy(parts, meta).predict(OBS, deterministic=True)[0], latest, atol=1e-4
    )
