"""The learner: soft actor-critic that is shown worked examples, practises, and keeps what worked.

Of each batch a part is the past; of the rest half is what worked (worked examples and the learner's
own successes) and half practice: see `daytwo.policies.actor_critic` for what is done with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from stable_baselines3.common.base_class import maybe_make_env
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback
from torch import Tensor

from daytwo.errors import InputError
from daytwo.memory.episodes import Demonstrations, check_layout, load_episodes
from daytwo.memory.replay import Replay, Successes, with_bounds
from daytwo.policies.actor_critic import ActorCritic
from daytwo.policies.config import LearnerConfig
from daytwo.policies.networks import Actor
from daytwo.policies.policy import LearnerPolicy, check_finite, check_spaces
from daytwo.policies.precision import take_fast_products
from daytwo.policies.resume import read, write


class Learner(ActorCritic):
    """A Stable-Baselines3 algorithm for any environment with Box observations and actions.

    Args:
        env: a Gymnasium environment, its id, or a `VecEnv`.
        demos: worked examples: episodes, or a folder of them; None to learn from practice alone.
        config: settings.
        scale: typical size (o,) of each observation element, by which it is divided for good; None
            to standardise by what is seen.
        seed: of weights, batches, exploration and the environment.
        device: "auto" is CUDA where there is one.
        tensorboard_log: folder for TensorBoard.
        verbose: 1 prints Stable-Baselines3's tables.

    Raises:
        InputError: a space it cannot learn in, or demonstrations that do not fit; says which.
    """

    def __init__(
        self,
        env: GymEnv | str,
        demos: Demonstrations | None = None,
        config: LearnerConfig | None = None,
        scale: ArrayLike | None = None,
        seed: int = 0,
        device: torch.device | str = "auto",
        tensorboard_log: str | None = None,
        verbose: int = 0,
    ) -> None:
        self.config = config or LearnerConfig()
        take_fast_products()
        env = maybe_make_env(env, verbose)
        check_spaces(env.observation_space, env.action_space)
        super().__init__(
            LearnerPolicy,  # type: ignore[arg-type]
            env,
            buffer_size=self.config.practice_size,
            batch_size=self.config.batch_size,
            gamma=self.config.discount,
            tau=self.config.tau,
            seed=seed,
            device=device,
            tensorboard_log=tensorboard_log,
            verbose=verbose,
            _init_setup_model=False,
        )
        self._setup_model()
        if scale is not None:
            self.policy.scale.fix(torch.as_tensor(np.asarray(scale, dtype=np.float32)))
        if demos is not None:
            self.teach(demos)

    def _setup_model(self) -> None:
        super()._setup_model()
        self.begin_day()
        self.seeds = np.random.default_rng(self.seed)  # of the episodes begun

    # Days.

    def begin_day(self) -> None:
        """Put the practice and the successes so far away; the past stays."""
        size = self.config.success_size
        self.practice = Replay(self.config.practice_size, self.n_envs, self.layout, self.device)
        self.successes = Successes(size, self.layout, self.device)
        self.uncloned = 0  # cloning updates that worked examples taken in are still due
        self.averaged = 0  # what acted yesterday is soon forgotten beside what is learnt today
        # Moments of yesterday's gradients, small at its end, would make today's first steps huge.
        self.fresh_optimizers()
        self._begin_anew = True

    def end_day(self, task: str, size: int = 20_000) -> None:
        """Today's practice becomes the past of `task`: a quarter of it any, the rest what worked.

        Of what worked the action that did is the behaviour to keep, of the rest the policy's own.

        Args:
            task: its name in the past; what was kept of it before gives way.
            size: transitions kept at most.
        """
        if len(self.practice) == 0:
            raise InputError(f"end_day({task!r}): nothing was practised today")
        n_good = min(len(self.successes), 3 * size // 4)
        good = self.successes.sample(n_good, self.rng) if n_good else None
        self.keep(
            task, self.practice.sample(min(size - n_good, len(self.practice)), self.rng), good
        )

    def keep(self, task: str, rows: Tensor, good: Tensor | None = None) -> None:
        """Make transitions the past of `task`, each with the behaviour to keep there.

        Args:
            task: its name in the past; what was kept of it before gives way.
            rows: (k, width), of any kind: kept with what the policy does there now.
            good: (m, width), of worked examples and successes: kept with what worked there, so
                that a task which was left half learnt goes on getting better.
        """
        good = rows[:0] if good is None else good
        behaviour = [self.act(rows[:, : self.layout.obs]), self.layout.split(good)[1]]
        self.past.keep(task, torch.cat([rows, good]), torch.cat(behaviour))

    def teach(self, demos: Demonstrations) -> None:
        """Take worked examples in; `learn` clones them before it practises.

        Where the day's first show a task that is not in the past, the actor gives up a share of
        what it knows, which the past brings back.

        Raises:
            InputError: there is none, or it does not fit; says which.
        """
        episodes = load_episodes(demos)
        if not episodes:
            raise InputError("demos: there is no episode in them; give None to do without")
        check_layout(episodes, self.layout.obs, self.layout.action)
        scaled = [self._scaled(episode) for episode in episodes]
        shown, known = {episode.task for episode in episodes}, set(self.past.tasks)
        if known and not shown <= known and len(self.successes.examples) == 0:
            self._renew()
        self.successes.teach(scaled, self.config.discount)
        obs = self.layout.split(self.successes.examples)[0]
        self.policy.scale.update(obs)
        self.uncloned = self.config.warm_updates
        self.averaged = 0  # what it was before knows nothing of what is shown now

    @torch.no_grad()
    def _renew(self) -> None:
        """Mix the actor with a fresh one, which counts `renew` times each task that is known.

        A network that went on from the last task learns a new one slower, and worse, than one that
        was shrunk and perturbed (Ash and Adams, "On warm-starting neural network training", NeurIPS
        2020). The more tasks it has learnt, the more it holds that serves the next.
        """
        config, known = self.config, len(self.past.tasks)
        with torch.random.fork_rng(devices=[]):
            draw = torch.randint(2**31, (), generator=self.rng, device=self.device)
            torch.manual_seed(int(draw))
            size, action = self.policy.scale.size, self.layout.action
            fresh = Actor(size, action, config.hidden, config.noise, config.secret)
        share = config.renew / (known + config.renew)
        self.policy.actor.flat.lerp_(fresh.flat.to(self.device), share)
        self.policy.steady.flat.copy_(self.policy.actor.flat)

    def _scaled(self, episode: Any) -> Any:
        """The episode with its actions in [-1, 1], as inside the learner."""
        from dataclasses import replace

        scaled = self.policy.scale_action(episode.actions).astype(np.float32)
        if np.abs(scaled).max() > 1 + 1e-4:
            low, high = self.action_space.low, self.action_space.high  # type: ignore[attr-defined]
            raise InputError(
                f"demos: an action lies outside the environment's range {low} to {high}: "
                f"{episode.actions[np.abs(scaled).max(1).argmax()]}"
            )
        return replace(episode, actions=scaled)

    # Practice.

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 100,
        tb_log_name: str = "Learner",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Clone the worked examples once, then practise and update.

        Args:
            total_timesteps: environment steps, of all environments together.
            callback: Stable-Baselines3 callbacks; `on_step` after each step of all environments.
            log_interval: steps of all environments from log to log.
            tb_log_name: TensorBoard run.
            reset_num_timesteps: start counting anew.
            progress_bar: Stable-Baselines3's.
        """
        self._begin_anew |= reset_num_timesteps or self._last_obs is None  # it resets then
        total, callback = self._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
        )
        callback.on_training_start(locals(), globals())
        self.imitate(self.uncloned)
        while self.num_timesteps < total and self._step(callback):
            if (self.num_timesteps // self.n_envs) % log_interval == 0:
                self.logger.record("train/n_updates", self.n_updates, exclude="tensorboard")
                for name, values in self.curves.items():
                    self.logger.record(f"train/{name}", values.mean().item())
                self.dump_logs()
        callback.on_training_end()
        return self

    def _step(self, callback: BaseCallback) -> bool:
        """One step of all environments, with its updates while they compute; False to stop."""
        assert self.env is not None
        callback.on_rollout_start()
        if self._begin_anew:
            self._begin_episodes()
        obs = np.asarray(self._last_obs, dtype=np.float32)
        check_finite("observation", obs)
        action = self._explore(obs)
        self.env.step_async(self.policy.unscale_action(action))
        room = self.practice.slots * self.n_envs
        if len(self.practice) >= min(max(self.config.start_after, 1), room):
            for _ in range(self.config.updates_per_step):
                self.update()
        # Stock callbacks look for these four names.
        new_obs, rewards, dones, infos = self.env.step_wait()
        self._remember(obs, action, rewards, dones, new_obs, infos)  # type: ignore[arg-type]
        self._last_obs = new_obs  # type: ignore[assignment]
        self.num_timesteps += self.n_envs
        self._update_info_buffer(infos, dones)
        self._episode_num += int(dones.sum())
        callback.update_locals(locals())
        goes_on = callback.on_step()
        callback.on_rollout_end()
        return goes_on

    def _begin_episodes(self) -> None:
        """Seed and reset, so that what follows is decided by the learner's state alone."""
        assert self.env is not None
        self.practice.drop_running()
        self.env.seed(int(self.seeds.integers(2**31)))
        self._last_obs = self.env.reset()  # type: ignore[assignment]
        self._begin_anew = False

    @torch.no_grad()
    def _explore(self, obs: NDArray[np.float32]) -> NDArray[np.float32]:
        policy = self.policy
        x = torch.from_numpy(obs).to(self.device)
        noise = self._noise(len(obs))
        return np.asarray(policy.actor.sample(policy.scale(x), noise).action.cpu().numpy())

    def _remember(
        self,
        obs: NDArray[np.float32],
        action: NDArray[np.float32],
        reward: NDArray[np.float32],
        done: NDArray[np.bool_],
        next_obs: NDArray[np.float32],
        infos: list[dict[str, Any]],
    ) -> None:
        terminated, after = done.copy(), np.array(next_obs, dtype=np.float32)
        for i in np.flatnonzero(done).tolist():
            after[i] = infos[i]["terminal_observation"]
            terminated[i] = not infos[i].get("TimeLimit.truncated", False)
        check_finite("observation", after)
        check_finite("reward", reward)
        rows = self.layout.rows(obs, action, reward, terminated, after)
        for i, episode in self.practice.add(rows, done):
            if infos[i].get("is_success", False):
                if terminated[i]:  # else more would have followed: no bound is known
                    episode = with_bounds(episode, self.layout, self.config.discount)
                self.successes.add(episode)
        self.policy.scale.update(torch.from_numpy(obs).to(self.device))

    # Persistence.

    def save(self, path: str | Path, meta: dict[str, Any] | None = None) -> None:  # type: ignore[override]
        """Write everything needed to go on exactly; see `daytwo.policies.resume`.

        The running episodes end here: the next step begins new ones, whether this learner goes on
        or a loaded one does, and both then see the same numbers.
        """
        self._begin_anew = True
        write(self, Path(path), meta or {})

    @classmethod
    def load(  # type: ignore[override]
        cls, path: str | Path, env: GymEnv | None = None, device: torch.device | str = "auto"
    ) -> Self:
        """Read a checkpoint; without `env` it can act but not practise.

        Raises:
            InputError: none there, damaged, or made for other spaces; names the difference.
        """
        return read(cls, Path(path), env, device)
