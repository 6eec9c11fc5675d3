"""Save and load a learner, so that going on gives the numbers of never having stopped."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.vec_env import DummyVecEnv

from daytwo.errors import InputError
from daytwo.memory.checkpoint import load_checkpoint, save_checkpoint
from daytwo.policies.config import LearnerConfig

if TYPE_CHECKING:
    from daytwo.policies.learner import Learner

L = TypeVar("L", bound="Learner")
Part = dict[str, NDArray[Any]]
COUNTERS = (
    "num_timesteps",
    "n_updates",
    "averaged",
    "cloned",
    "uncloned",
    "_episode_num",
    "_total_timesteps",
)
REPLAY = ("practice", "successes", "past")
OPTIMIZERS = ("actor_optimizer", "critic_optimizer", "ent_coef_optimizer")


def write(learner: Learner, path: Path, meta: dict[str, Any]) -> None:
    """Write weights, optimisers, replay, scale, random generators and counters."""
    parts, state = snapshot(learner)
    save_checkpoint(path, parts, {**state, "user": meta})


def snapshot(learner: Learner, replay: bool = True) -> tuple[dict[str, Part], dict[str, Any]]:
    """A learner as named arrays and JSON values.

    Args:
        learner: which.
        replay: take practice, successes and past along; without them it goes on with one
            environment, from episodes that are kept elsewhere.
    """
    parts: dict[str, Part] = {"policy": _arrays(learner.policy.state_dict())}
    parts["policy"]["log_ent_coef"] = learner.log_ent_coef.detach().cpu().numpy()
    for name in OPTIMIZERS:
        parts[name] = _optimizer_arrays(getattr(learner, name))
    parts["random"] = {"torch": learner.rng.get_state().numpy()}
    if replay:
        for name in REPLAY:
            parts[name] = _arrays(getattr(learner, name).state_dict())
    return parts, {
        "algorithm": type(learner).__name__,
        "config": asdict(learner.config),
        "seed": learner.seed,
        "n_envs": learner.n_envs if replay else 1,
        "observation_space": _describe(learner.observation_space),
        "action_space": _describe(learner.action_space),
        "counters": {name: int(getattr(learner, name)) for name in COUNTERS},
        "seeds": learner.seeds.bit_generator.state,
        "recent_success": [bool(x) for x in learner.ep_success_buffer or ()],
        "recent_episodes": [
            {k: float(v) for k, v in e.items()} for e in learner.ep_info_buffer or ()
        ],
        "tensorboard_log": learner.tensorboard_log,
    }


def read(cls: type[L], path: Path, env: GymEnv | None, device: torch.device | str) -> L:
    """Rebuild a learner; see `Learner.load`."""
    parts, meta = load_checkpoint(path)
    return restore(cls, parts, meta, env, device, f"checkpoint {path}")


def restore(
    cls: type[L],
    parts: dict[str, Part],
    meta: dict[str, Any],
    env: GymEnv | None = None,
    device: torch.device | str = "auto",
    where: str = "checkpoint",
) -> L:
    """The learner that `snapshot` was taken of.

    Raises:
        InputError: it is another algorithm's, or was made for other spaces; names the difference.
    """
    if meta.get("algorithm") != cls.__name__:
        raise InputError(f"{where}: holds a {meta.get('algorithm')!r}, expected {cls.__name__!r}")
    unknown = meta["config"].keys() - {field.name for field in fields(LearnerConfig)}
    if unknown:
        raise InputError(
            f"{where}: was written by another version of daytwo; this one knows no setting "
            f"{', '.join(map(repr, sorted(unknown)))}"
        )
    spaces = {k: _space(meta[k]) for k in ("observation_space", "action_space")}
    if env is None:
        env = DummyVecEnv([lambda: _Absent(**spaces)] * meta["n_envs"])
    learner = cls(
        env,
        config=LearnerConfig(**meta["config"]),
        seed=meta["seed"],
        device=device,
        tensorboard_log=meta["tensorboard_log"],
    )
    for key in ("observation_space", "action_space"):
        if _describe(getattr(learner, key)) != meta[key]:
            raise InputError(
                f"{where}: was made for {key} {spaces[key]}; this environment has "
                f"{getattr(learner, key)}"
            )
    if learner.n_envs != meta["n_envs"]:
        raise InputError(
            f"{where}: practised in {meta['n_envs']} environments at once; found {learner.n_envs}"
        )
    entropy = parts["policy"].pop("log_ent_coef")
    with torch.no_grad():
        learner.log_ent_coef.copy_(torch.tensor(entropy))
    parts["policy"].setdefault("steady.flat", parts["policy"]["actor.flat"])  # older ones
    learner.policy.load_state_dict(_tensors(parts["policy"]))
    for name in OPTIMIZERS:
        _load_optimizer(getattr(learner, name), parts[name])
    for name in REPLAY:
        if name in parts:
            getattr(learner, name).load_state_dict(_tensors(parts[name]))
    random = torch.from_numpy(parts["random"]["torch"])
    if len(random) == len(learner.rng.get_state()):
        learner.rng.set_state(random)
    else:  # drawn on another kind of device, whose stream of numbers this one does not have
        learner.rng.manual_seed(meta["seed"] + meta["counters"]["n_updates"])
    learner.seeds.bit_generator.state = meta["seeds"]
    for name, value in meta["counters"].items():
        setattr(learner, name, value)
    window = learner._stats_window_size
    learner.ep_info_buffer = deque(meta["recent_episodes"], maxlen=window)
    learner.ep_success_buffer = deque(meta["recent_success"], maxlen=window)
    return learner


class _Absent(gym.Env[Any, Any]):
    """Stands where no environment was given: it has spaces and cannot be stepped."""

    def __init__(self, observation_space: gym.Space[Any], action_space: gym.Space[Any]) -> None:
        self.observation_space, self.action_space = observation_space, action_space

    def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        raise InputError("this learner was loaded without an environment; it can only act")


def _describe(space: gym.Space[Any]) -> dict[str, Any]:
    assert isinstance(space, gym.spaces.Box)
    return {"low": space.low.tolist(), "high": space.high.tolist(), "dtype": str(space.dtype)}


def _space(described: dict[str, Any]) -> gym.spaces.Box:
    dtype = np.dtype(described["dtype"]).type
    low, high = (np.array(described[k], dtype=dtype) for k in ("low", "high"))
    return gym.spaces.Box(low, high, dtype=dtype)


def _arrays(tensors: dict[str, torch.Tensor]) -> Part:
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def _tensors(part: Part) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in part.items()}


def _optimizer_arrays(optimizer: torch.optim.Optimizer) -> Part:
    state = optimizer.state_dict()["state"]
    return {f"{i}.{k}": v.detach().cpu().numpy() for i, s in state.items() for k, v in s.items()}


def _load_optimizer(optimizer: torch.optim.Optimizer, part: Part) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in _tensors(part).items():
        i, key = name.split(".", 1)
        state.setdefault(int(i), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
