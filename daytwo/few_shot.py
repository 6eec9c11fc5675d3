"""Getting better within a trial, in this order: a belief, the nearest skill, a residual.

1. Whatever happens, what is felt moves the belief (`daytwo.believing`); nothing is trained.
2. Who failed at a task that was never studied does it next as the skill whose words are nearest;
   where two are as near, as one after the other.
3. Who failed twice learns, after each failure, a bounded residual on the spot, from this trial's
   attempts and from the policy's own successes at that skill (`daytwo.policies.residual`).

Nothing of what is hidden is looked at: rewards are shaped by what is told, and what is believed
stands for the truth.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from daytwo.believing import Believing
from daytwo.memory.nearest import descriptor_distance
from daytwo.memory.replay import with_bounds
from daytwo.policies.estimator import Estimator
from daytwo.policies.learner import Learner
from daytwo.policies.residual import OnTheSpot, Residual
from daytwo.sim.observation import OBSERVATION
from daytwo.sim.predicates import PREDICATES
from daytwo.sim.state import Array
from daytwo.sim.world import DISCOUNT, SHAPING, StepResult, World

STORED = 4000  # transitions at most of a skill that worked, that a residual learns from
FAILURES = 2  # in one trial, from which a residual is learnt
_SAYS = OBSERVATION["descriptor"]


@dataclass
class _Trial:
    """Of one arm so far."""

    rows: list[Tensor] = field(default_factory=list)  # of each attempt, (t, width)
    then: list[Array] = field(default_factory=list)  # what was believed at each step, (t, c)
    failures: int = 0
    failed: bool = False  # at the latest attempt
    residual: Residual | None = None


class FewShot:
    """A `daytwo.curricula.trials.Adaptive`; give `note` to the trials as their watch.

    Args:
        learner: acts, with its critics and what it remembers of what worked.
        estimator: of beliefs.
        world: it acts in.
        studied: names of the tasks that it has studied, of the world's.
        seed: of residuals.
        settings: how residuals are learnt.
    """

    def __init__(
        self,
        learner: Learner,
        estimator: Estimator,
        world: World,
        studied: Sequence[str],
        seed: int = 0,
        settings: OnTheSpot | None = None,
    ) -> None:
        assert world.believed is not None, "this world hides nothing"
        self.learner, self.settings, self._seed = learner, settings, seed
        self._world, self._believed = world, world.believed
        self.believing = Believing(self, estimator, world.n)
        self.nearest = nearest(world, studied)
        self.seconds: list[float] = []  # that each learning between two attempts took
        self._worked: dict[bytes, Tensor] = {}  # by a skill's words
        self._trials = [_Trial() for _ in range(world.n)]
        # Of the running attempts: each step's row, and what was believed.
        self._steps: list[list[tuple[Tensor, Array]]] = [[] for _ in range(world.n)]
        self._potential = np.zeros(world.n)
        self._says = world.descriptors[world.task].astype(np.float32)
        self._obs = np.zeros((world.n, world.obs_dim), dtype=np.float32)

    def begin(self, world: World, ids: NDArray[np.int64], attempt: NDArray[np.int64]) -> None:
        """See `daytwo.curricula.trials.Adaptive`."""
        self.believing.begin(world, ids, attempt)
        for i, number in zip(ids.tolist(), attempt.tolist(), strict=True):
            if number <= 0:
                self._trials[i], self._steps[i] = _Trial(), []
                self._says[i] = world.descriptors[world.task[i]]
            else:
                self._between(world, i)

    def __call__(self, world: World, observation: NDArray[np.float32]) -> NDArray[np.floating]:
        """See `daytwo.curricula.trials.Adaptive`."""
        return self.believing(world, observation)

    def predict(
        self, observation: NDArray[np.float32], *, deterministic: bool = True
    ) -> tuple[NDArray[np.float32], Any]:
        """The learner's actions (n, a), told each arm's words, with its residual if it has one."""
        obs = self._obs = self._told(observation)
        self._potential = self._world.told_potential()
        action, state = self.learner.predict(obs, deterministic=deterministic)
        for i, trial in enumerate(self._trials):
            if trial.residual is not None:
                action[i] = np.clip(action[i] + trial.residual(obs[i : i + 1])[0], -1.0, 1.0)
        return action, state

    def note(
        self,
        at: NDArray[np.int64],
        observation: NDArray[np.float32],
        action: NDArray[np.floating],
        result: StepResult,
    ) -> None:
        """Keep what the running attempts did; see `daytwo.curricula.attempts.Watch`."""
        # What diverged has no potential that could be told.
        told = np.where(self._world.engine.astray(), self._potential, self._world.told_potential())
        then = np.where(result.terminated, 0.0, told)
        reward = result.success + SHAPING * (DISCOUNT * then - self._potential)
        after = self._told(result.obs)
        rows = self.learner.layout.rows(
            self._obs,
            action.astype(np.float32),
            reward.astype(np.float32),
            result.terminated,
            after,
        )
        for i in np.flatnonzero(at >= 0):
            self._steps[i].append((rows[i], self._believed.mean[i].copy()))
            if result.terminated[i] or result.truncated[i]:
                self._ended(int(i), bool(result.terminated[i]), bool(result.success[i]))

    def _ended(self, i: int, terminated: bool, success: bool) -> None:
        steps, then = zip(*self._steps[i], strict=True)
        rows, trial, self._steps[i] = torch.stack(steps), self._trials[i], []
        if terminated:
            rows = with_bounds(rows, self.learner.layout, self.learner.config.discount)
        trial.rows.append(rows)
        trial.then.append(np.array(then))
        trial.failures += not success
        trial.failed = not success

    def _between(self, world: World, i: int) -> None:
        """Between two attempts of one arm's trial."""
        trial, skills = self._trials[i], self.nearest[world.task[i]]
        if not trial.failed:
            return
        skill = skills[min(trial.failures, len(skills)) - 1]
        self._says[i] = skill
        if trial.failures < FAILURES:
            return
        begun = time.monotonic()
        if trial.residual is None:
            trial.residual = Residual(self.learner, self._seed + i, self.settings)
        rows, then = torch.cat(trial.rows), np.concatenate(trial.then)
        layout = self.learner.layout
        for at in (0, layout.obs + layout.action + 2):  # observations, and those that followed
            seen = rows[:, at : at + layout.obs].numpy()
            self._believed.taken_for_true(seen, then, self.believing.mean[i])
        trial.residual.learn(rows, self._stored(skill))
        self.seconds.append(time.monotonic() - begun)

    def _stored(self, skill: Array) -> Tensor:
        """What worked of the skill that is said so, rows (s, width): the policy's own successes,
        or where it has none what it was shown.
        """
        words = skill.tobytes()
        if words not in self._worked:
            known = self.learner.successes
            for rows in (known.own[: known.filled], known.examples):
                said = (rows[:, _SAYS] == torch.from_numpy(skill).to(rows)).all(dim=1)
                at = torch.nonzero(said)[:, 0]
                some = torch.randperm(len(at), generator=torch.Generator().manual_seed(self._seed))
                self._worked[words] = rows[at[some[:STORED].to(at.device)]]
                if len(at):
                    break
        return self._worked[words]

    def _told(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        obs = observation.copy()
        obs[:, _SAYS] = self._says
        return obs


def nearest(world: World, studied: Sequence[str]) -> list[list[Array]]:
    """For each of a world's tasks, the words (PREDICATES,) of the studied ones that are nearest;
    several where they are equally near, in the order in which they were studied.
    """
    rows = {task.name: row for task, row in zip(world.tasks, world.descriptors, strict=True)}
    words = {
        name: {p: int(sign) for p, sign in zip(PREDICATES, row, strict=True)}
        for name, row in rows.items()
    }
    found = []
    for own in rows:
        far = {name: descriptor_distance(words[own], words[name]) for name in studied}
        least = min(far.values())
        found.append([rows[name].astype(np.float32) for name in studied if far[name] == least])
    return found
