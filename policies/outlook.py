"""What an attempt promises, and where to go when one was lost.

A lost attempt says where a target is not. A Gaussian cannot hold that: who presses beside a button
knows that it is to the left or to the right, and the mean of both is where he pressed. So it is
learnt how often an attempt is won that acts on offsets which are so far off. Draws from the belief
are weighted by how likely each makes what this trial's attempts came to, and the next attempt acts
on what promises most: it is the best action for a belief, not for its mean (Littman et al.,
"Learning policies for partially observable environments", 1995, act so on states they enumerate).
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

Array = NDArray[np.floating]

DRAWS = 200  # from a belief
CHOICES = 40  # of them, that may be acted on
CERTAIN = 0.9  # no attempt is surer to be won, or to be lost, than this: much else may decide it
MARGIN = 0.05  # what promises less than so much more than the mean is not worth leaving it for
DECAY = 0.1  # of weights (AdamW)
HELD_BACK = 8  # one row of so many is not learnt from, and tells when to stop
LOOKS = 20  # so often is looked how well it does at those


@dataclass(frozen=True)
class Tried:
    """One attempt: what it acted on, (c,) each in half-ranges, and how it ended."""

    mean: Array
    spread: Array
    won: bool


class Outlook:
    """The chance that an attempt is won, by how far off that is which it acts on.

    Args:
        names: of the c conditions that it acts on.
        words: elements of a task's descriptor.
        hidden: units of each of two layers.
    """

    def __init__(self, names: Sequence[str], words: int, hidden: int = 64) -> None:
        self.names, self.words, self.hidden = tuple(names), words, hidden
        self.net = nn.Sequential(
            nn.Linear(2 * len(self.names) + words, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 1),
        )

    def odds(self, off_by: Tensor, spread: Tensor, words: Tensor) -> Tensor:
        """Log-odds (...) of a win.

        Args:
            off_by: what is true, less what is acted on, (..., c) in half-ranges.
            spread: how unsure that is told to be, (..., c).
            words: the task's descriptor (..., w).
        """
        return self.net(torch.cat([off_by, spread, words], dim=-1))[..., 0]

    @torch.no_grad()
    def chance(self, off_by: Array, spread: Array, words: Array) -> Array:
        """Of a win, (...); see `odds`, whose spread and words may be one for all."""
        parts = [
            off_by,
            *(np.broadcast_to(x, (*off_by.shape[:-1], len(x))) for x in (spread, words)),
        ]
        odds = self.odds(*(torch.from_numpy(np.asarray(part, dtype=np.float32)) for part in parts))
        return torch.sigmoid(odds).numpy().astype(np.float64)

    def choose(self, mean: Array, spread: Array, tried: Sequence[Tried], words: Array) -> Array:
        """What to act on (c,), given what is believed (c,) after a trial's attempts; the mean where
        nothing has been tried, or nothing promises more.
        """
        if not tried:
            return mean
        # The same draws for everyone: what is chosen depends on what is believed alone.
        noise = np.random.default_rng(0).standard_normal((DRAWS, len(mean)))
        drawn = mean + spread * noise
        likely = np.ones(DRAWS)
        for one in tried:
            won = self.chance(drawn - one.mean, one.spread, words).clip(1 - CERTAIN, CERTAIN)
            likely *= won if one.won else 1 - won
        likely /= likely.sum()
        some = np.searchsorted(likely.cumsum(), (np.arange(CHOICES) + 0.5) / CHOICES)
        choices = np.concatenate([mean[None], drawn[some.clip(max=DRAWS - 1)]])
        chance = self.chance(drawn - choices[:, None], spread, words)
        promised = chance @ likely
        best = int(np.argmax(promised))
        return choices[best] if promised[best] > promised[0] + MARGIN else mean

    def parts(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Weights and a description, to be kept in a checkpoint."""
        weights = {k: v.numpy() for k, v in self.net.state_dict().items()}
        return weights, {"names": list(self.names), "words": self.words, "hidden": self.hidden}

    @classmethod
    def of(cls, weights: Mapping[str, Array], meta: Mapping[str, Any]) -> Outlook:
        """What `parts` gave."""
        made = cls(meta["names"], meta["words"], meta["hidden"])
        made.net.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        return made


def learn(
    outlook: Outlook,
    off_by: Array,
    spread: Array,
    words: Array,
    won: NDArray[np.bool_],
    updates: int = 1500,
    seed: int = 0,
    batch: int = 256,
    rate: float = 3e-3,
) -> float:
    """Move an outlook towards what m attempts came to, by likelihood, and keep what was best at an
    eighth that is held back; its loss there [nats]. Arguments as `Outlook.odds`'s; won (m,).
    """
    rows = [torch.from_numpy(np.asarray(x, np.float32)) for x in (off_by, spread, words, won)]
    back = torch.arange(len(won)) % HELD_BACK == 0
    *kept, kept_won = (x[back] for x in rows)
    *learnt, learnt_won = (x[~back] for x in rows)
    optimizer = torch.optim.AdamW(outlook.net.parameters(), lr=rate, weight_decay=DECAY)
    rng, best, weights = (
        torch.Generator().manual_seed(seed),
        np.inf,
        deepcopy(outlook.net.state_dict()),
    )
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
    return best
