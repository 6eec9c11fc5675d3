"""Getting better within a trial, in this order: a belief, the nearest skill, a residual.

1. Whatever happens, what is felt moves the belief (`daytwo.believing`); nothing is trained.
2. Who failed at a task that was never studied does it next as the skill whose words are nearest.
3. Who failed twice learns a bounded residual on the spot, from this trial's attempts and from
   stored ones of that skill (`daytwo.policies.residual`).
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
from daytwo.sim.world import StepResult, World

STORED = 4000  # transitions at most of a skill that worked, that a residual learns from
FAILURES = 2  # in one trial, from which a residual is learnt
_SAYS = OBSERVATION["descriptor"]


@dataclass
class _Trial:
    """Of one arm so far."""

    rows: list[Tensor] = field(default_factory=list)  # of each attempt, (t, width)
    failures: int = 0
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
        self.learner, self.settings, self._seed = learner, settings, seed
        self.believing = Believing(self, estimator, world.n)
        self.nearest = nearest(world, studied)
        self.seconds: list[float] = []  # that each learning between two attempts took
        self._worked: dict[bytes, Tensor] = {}  # by a skill's words
        self._trials = [_Trial() for _ in range(world.n)]
        self._steps: list[list[Tensor]] = [[] for _ in range(world.n)]  # of the running attempts
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
        rows = self.learner.layout.rows(
            self._obs, action.astype(np.float32), result.reward, result.terminated,
            self._told(result.obs),
        )  # fmt: skip
        for i in np.flatnonzero(at >= 0):
            self._steps[i].append(rows[i])
            if result.terminated[i] or result.truncated[i]:
                self._ended(int(i), bool(result.terminated[i]), bool(result.success[i]))

    def _ended(self, i: int, terminated: bool, success: bool) -> None:
        rows, self._steps[i] = torch.stack(self._steps[i]), []
        if terminated:
            rows = with_bounds(rows, self.learner.layout, self.learner.config.discount)
        self._trials[i].rows.append(rows)
        self._trials[i].failures += not success

    def _between(self, world: World, i: int) -> None:
        """Between two attempts of one arm's trial."""
        trial, skill = self._trials[i], self.nearest[world.task[i]]
        if trial.failures == 1:
            self._says[i] = skill
        if trial.failures < FAILURES:
            return
        assert world.believed is not None
        if trial.residual is None:
            trial.residual = Residual(self.learner, self._seed + i, self.settings)
        begun = time.monotonic()
        # The truth, which critics saw in study, is not known here: what is believed stands for it.
        rows = torch.cat(trial.rows)
        for at in (0, self.learner.layout.obs + self.learner.layout.action + 2):
            seen = rows[:, at : at + self.learner.layout.obs]
            seen.copy_(torch.from_numpy(world.believed.taken_for_true(seen.numpy())))
        trial.residual.learn(rows, self._stored(skill))
        self.seconds.append(time.monotonic() - begun)

    def _stored(self, skill: Array) -> Tensor:
        """What worked of the skill that is said so, rows (s, width)."""
        if skill.tobytes() not in self._worked:
            known = self.learner.successes
            rows = torch.cat([known.examples, known.own[: known.filled]])
            said = torch.from_numpy(skill).to(rows)
            rows = rows[(rows[:, _SAYS] == said).all(dim=1)]
            some = np.random.default_rng(self._seed).permutation(len(rows))[:STORED]
            self._worked[skill.tobytes()] = rows[torch.from_numpy(some).to(rows.device)]
        return self._worked[skill.tobytes()]

    def _told(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        obs = observation.copy()
        obs[:, _SAYS] = self._says
        return obs


def nearest(world: World, studied: Sequence[str]) -> Array:
    """Words of the studied task that is nearest to each of a world's, (tasks, PREDICATES)."""
    names = [task.name for task in world.tasks]
    known = [world.descriptors[names.index(name)] for name in studied]

    def words(row: NDArray[np.int8]) -> dict[str, int]:
        return {name: int(sign) for name, sign in zip(PREDICATES, row, strict=True)}

    return np.array(
        [
            min(known, key=lambda row: descriptor_distance(words(own), words(row)))
            for own in world.descriptors
        ],
        dtype=np.float32,
    )
