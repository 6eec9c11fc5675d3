"""What an attempt promises, and where to go when one was lost.

A lost attempt says where a target is not. A Gaussian cannot hold that: who presses beside a button
knows that it is to the left or to the right, and the mean of both is where he pressed. So it is
learnt how often an attempt is won that acts on offsets which are so far off, with objects that are
so wide. Draws from what was measured are weighted by how likely each makes what this trial's
attempts came to, and the next attempt acts on what promises most: on what is best for a belief, not
for its mean (Littman et al., "Learning policies for partially observable environments", 1995,
choose actions so). One attempt ahead, that is: none is made to find something out. And what
attempts came to counts twice, in the belief, too, whose Gaussian says little of a loss; so no
attempt is taken to be too sure (`CERTAIN`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.special import ndtr, ndtri

from daytwo.errors import InputError
from daytwo.policies.evidence import KNOWN

Array = NDArray[np.floating]

DRAWS = 400  # from what was measured
CHOICES = 40  # of them, that may be acted on
EDGE = 1.2  # [half-ranges] nothing is further off: a fifth beyond what was studied
FAINT = 1e-6  # precision where nothing was measured
CERTAIN = 0.98  # no attempt is surer to be won, or to be lost, than this: much else decides it, too
USUAL, STEP = 0.016, 0.002  # [m] half-widths are counted from here, in such steps, and
WIDEST = 5.0  # of these at most, to either side
MARGIN = 0.05  # a draw has to promise so much more than the mean, and than what has won
NO_MATTER = 0.01  # of what is promised
SELDOM = 0.005  # share of attempts further off than that, to either side, of which nothing is said
DECAY = 0.1  # of weights (AdamW)
HELD_BACK = 8  # one trial of so many is not learnt from, and tells when to stop
LOOKS = 20  # so often is looked how well it does at those


@dataclass(frozen=True)
class Tried:
    """One attempt: what it acted on, (c,) each in half-ranges, half-widths (s,) [m] of what it was
    made with, and how it ended.
    """

    mean: Array
    spread: Array
    half: Array
    won: bool


class Outlook:
    """The chance that an attempt is won, by how far off that is which it acts on.

    Args:
        conditions: how many of them, c, it acts on.
        words: elements of a task's descriptor.
        sizes: half-widths of objects: where there is little room, little may be missed.
        hidden: units of each of two layers.
    """

    def __init__(self, conditions: int, words: int, sizes: int, hidden: int = 64) -> None:
        self.conditions, self.words, self.sizes, self.hidden = conditions, words, sizes, hidden
        self.net = nn.Sequential(
            nn.Linear(2 * conditions + words + sizes, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 1),
        )
        # What it was learnt on: how far off attempts were, least and most (2, c), and whose words.
        self.range, self.tasks = torch.zeros(2, conditions), torch.zeros(0, words)

    def odds(self, off_by: Tensor, spread: Tensor, words: Tensor, half: Tensor) -> Tensor:
        """Log-odds (...) of a win; further off than what was learnt it is as at the edge of that.

        Args:
            off_by: what is true, less what is acted on, (..., c) in half-ranges.
            spread: how unsure that is told to be, (..., c).
            words: the task's descriptor (..., w).
            half: half-widths of its objects (..., s) [m].
        """
        near, wide = off_by.clamp(*self.range), ((half - USUAL) / STEP).clamp(-WIDEST, WIDEST)
        return self.net(torch.cat([near, spread, words, wide], dim=-1))[..., 0]

    @torch.no_grad()
    def chance(self, off_by: Array, spread: Array, words: Array, half: Array) -> Array:
        """Of a win, (...); see `odds`, all but the first of which may be one for all."""
        parts = [
            off_by,
            *(np.broadcast_to(x, (*off_by.shape[:-1], len(x))) for x in (spread, words, half)),
        ]
        odds = self.odds(*(torch.from_numpy(np.asarray(part, dtype=np.float32)) for part in parts))
        return torch.sigmoid(odds).numpy().astype(np.float64)

    def choose(
        self, mean: Array, spread: Array, tried: Sequence[Tried], words: Array, half: Array
    ) -> Array:
        """What to act on (c,), given what is believed (c,) after a trial's attempts: the mean, or
        what has won; what was never tried where it promises `MARGIN` more. The mean where nothing
        has been tried or the task is none it learnt on.
        """
        studied = (self.tasks.numpy() == np.asarray(words, dtype=np.float32)).all(axis=1).any()
        if not tried or not studied:
            return mean
        drawn = draws(mean, spread)
        likely = np.ones(DRAWS)
        for one in tried:
            won = self.chance(drawn - one.mean, one.spread, words, one.half)
            won = won.clip(1 - CERTAIN, CERTAIN)
            likely *= won if one.won else 1 - won
        likely /= likely.sum()
        some = np.searchsorted(likely.cumsum(), (np.arange(CHOICES) + 0.5) / CHOICES)
        worked = [one.mean for one in tried if one.won]
        choices = np.stack([mean, *worked, *drawn[some.clip(max=DRAWS - 1)]])

        def promised(acted_on: Array) -> Array:
            """Chances (k,) of a win that acts on this, (k, c)."""
            return self.chance(drawn - acted_on[:, None], spread, words, half) @ likely

        promise = promised(choices)
        best, kept = int(np.argmax(promise)), int(np.argmax(promise[: 1 + len(worked)]))
        if promise[best] < promise[kept] + MARGIN:
            return choices[kept]
        chosen = choices[best]
        for j in range(len(mean)):  # a draw is of all conditions; what need not move does not
            back = chosen.copy()
            back[j] = choices[kept, j]
            if promised(back[None])[0] > promise[best] - NO_MATTER:
                chosen = back
        return chosen

    def parts(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Weights and a description, to be kept in a checkpoint."""
        weights = {k: v.numpy() for k, v in self.net.state_dict().items()}
        weights |= {"range": self.range.numpy(), "tasks": self.tasks.numpy()}
        names = ("conditions", "words", "sizes", "hidden")
        return weights, {name: getattr(self, name) for name in names}

    @classmethod
    def of(cls, weights: Mapping[str, Array], meta: Mapping[str, Any]) -> Outlook:
        """What `parts` gave.

        Raises:
            InputError: weights of other shapes than the description says.
        """
        found = {k: torch.from_numpy(v) for k, v in weights.items()}
        try:
            made = cls(meta["conditions"], meta["words"], meta["sizes"], meta["hidden"])
            made.range, made.tasks = found.pop("range"), found.pop("tasks")
            made.net.load_state_dict(found)
        except (KeyError, RuntimeError) as error:
            raise InputError("outlook: of another version of daytwo; study anew") from error
        return made


def draws(mean: Array, spread: Array) -> Array:
    """What may be true, given what is believed (c,); (DRAWS, c).

    A belief holds what was measured and that anything lies between -1 and 1, which it takes for a
    Gaussian. After losses the corners are what is left of that, so here it is taken as it is: any
    value up to `EDGE` is as likely as another, by what was measured.
    """
    precision = np.maximum(spread**-2.0 - KNOWN, FAINT)  # of measurements alone
    measured = (mean * spread**-2.0 / precision).clip(-EDGE, EDGE)
    unsure = precision**-0.5
    # The same for everyone: what is chosen depends on what is believed alone.
    u = torch.from_numpy(np.random.default_rng(0).random((DRAWS, len(mean))))
    low, high = (ndtr(torch.from_numpy((x - measured) / unsure)) for x in (-EDGE, EDGE))
    drawn = measured + unsure * ndtri(low + u * (high - low)).numpy()
    return np.asarray(drawn.clip(-EDGE, EDGE))


def learn(
    outlook: Outlook,
    off_by: Array,
    spread: Array,
    words: Array,
    half: Array,
    won: NDArray[np.bool_],
    updates: int = 1500,
    seed: int = 0,
    batch: int = 256,
    rate: float = 3e-3,
) -> None:
    """Move an outlook towards what m trials of k attempts came to, by likelihood, and keep what was
    best at an eighth of the trials that is held back.

    Args:
        outlook: to be moved.
        off_by: what was true, less what was acted on, (m, k, c) in half-ranges.
        spread: how unsure that was told to be, (m, k, c).
        words: of each trial's task, (m, w).
        half: half-widths of each attempt's objects, (m, k, s) [m].
        won: (m, k).
        updates: gradient updates.
        seed: of the batches.
        batch: attempts an update learns from.
        rate: learning rate.

    Raises:
        InputError: a number is not finite, or there is one trial alone.
    """
    told = {"how far off": off_by, "spread": spread, "words": words, "half-widths": half}
    for what, values in told.items():
        if not np.isfinite(values).all():
            raise InputError(f"outlook: {what} holds a number that is not finite")
    if len(won) < 2:
        raise InputError(f"outlook: {len(won)} trials; give two at least")
    words = np.broadcast_to(words[:, None], (*won.shape, words.shape[1]))
    parts = (off_by, spread, words, half, won)
    rows = [torch.from_numpy(np.asarray(x, np.float32)) for x in parts]
    back = torch.arange(len(won)) % HELD_BACK == 0
    *kept, kept_won = (x[back] for x in rows)
    *learnt, learnt_won = (x[~back].flatten(0, 1) for x in rows)
    outlook.range = learnt[0].quantile(torch.tensor([SELDOM, 1 - SELDOM]), dim=0)
    outlook.tasks = learnt[2].unique(dim=0)
    optimizer = torch.optim.AdamW(outlook.net.parameters(), lr=rate, weight_decay=DECAY)
    rng = torch.Generator().manual_seed(seed)
    best, weights = np.inf, deepcopy(outlook.net.state_dict())
    for k in range(updates + 1):
        if k % max(1, updates // LOOKS) == 0:
            with torch.no_grad():
                missed = float(binary_cross_entropy_with_logits(outlook.odds(*kept), kept_won))
            if missed < best:
                best, weights = missed, deepcopy(outlook.net.state_dict())
        if k == updates:
            break
        at = torch.randint(len(learnt_won), (batch,), generator=rng)
        odds = outlook.odds(*(x[at] for x in learnt))
        loss = binary_cross_entropy_with_logits(odds, learnt_won[at])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    outlook.net.load_state_dict(weights)
