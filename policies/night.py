"""The learning between two days: today's episodes, and the past so that it is not lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch

from daytwo.memory.episodes import Episode
from daytwo.memory.replay import episode_rows
from daytwo.policies.learner import Learner


def prepare(
    learner: Learner,
    today: Sequence[Episode],
    past: Mapping[str, Iterable[Episode]],
    examples: Sequence[Episode] = (),
    per_task: int = 20_000,
    cloning: int = 300,
) -> None:
    """Lay out what a night learns from.

    Today's episodes are practice, and those that succeeded are what worked. Of each task in the
    past, transitions are kept: those of an episode that succeeded with what was done, the others
    with what the policy does there now. Worked examples that came in today are cloned for what
    they show.

    Args:
        learner: to be taught; its practice so far is put away.
        today: this day's attempts.
        past: task -> worked examples and attempts of study and earlier days.
        examples: worked examples that it was not taught yet.
        per_task: transitions of each task kept at most, drawn at random.
        cloning: updates that the night begins with where there are such examples.
    """
    learner.begin_day()
    for task, episodes in past.items():
        kept = list(episodes)
        rows = torch.cat([_rows(learner, episode) for episode in kept]).to(learner.device)
        good = torch.tensor([e.success for e in kept for _ in range(len(e))], device=rows.device)
        chosen = torch.randperm(len(rows), generator=learner.rng, device=learner.device)[:per_task]
        rows, good = rows[chosen], good[chosen]
        learner.keep(task, rows[~good], rows[good])
    if examples:
        learner.teach(examples)
        learner.uncloned = cloning
    for episode in (*today, *examples):
        rows = _rows(learner, episode)
        for t in range(len(rows)):
            learner.practice.add(rows[t : t + 1], np.array([t + 1 == len(rows)]))
    for episode in today:
        if episode.success:
            rows = _rows(learner, episode)
            learner.successes.add(rows.to(learner.device))


def rehearse(
    learner: Learner,
    updates: int,
    go_on: Callable[[int], bool] = lambda done: True,
    tell: Callable[[int], None] = lambda more: None,
) -> int:
    """Learn from what `prepare` laid out.

    Args:
        learner: prepared.
        updates: gradient updates.
        go_on: asked before each update with how many are done; False ends the night early.
        tell: called with how many more are done.

    Returns:
        Updates made.
    """
    for done in range(updates):
        if not go_on(done):
            return done
        if learner.uncloned:
            learner.imitate(1)
        else:
            learner.update()
        tell(1)
    return updates


def _rows(learner: Learner, episode: Episode) -> torch.Tensor:
    return episode_rows(episode, learner.layout, learner.config.discount)
