"""Replay: transitions of n environments stepped together, in one contiguous tensor.

A transition is one row (observation, action, reward, continues, next observation, bound), so
that a single `index_select` fetches a batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from daytwo.memory.episodes import Episode


@dataclass(frozen=True)
class Layout:
    """Columns of a row."""

    obs: int
    action: int

    @property
    def width(self) -> int:
        return 2 * self.obs + self.action + 3

    def split(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Views: obs (b, o), action (b, a), reward, continues, next obs (b, o), bound."""
        o, a = self.obs, self.action
        return (
            rows[:, :o],
            rows[:, o : o + a],
            rows[:, o + a],
            rows[:, o + a + 1],
            rows[:, o + a + 2 : 2 * o + a + 2],
            rows[:, -1],
        )

    def rows(
        self,
        obs: NDArray[np.float32],
        action: NDArray[np.float32],
        reward: NDArray[np.float32],
        terminated: NDArray[np.bool_],
        next_obs: NDArray[np.float32],
    ) -> Tensor:
        """Rows (k, width) of k transitions; the bound is open."""
        columns = [obs, action, reward[:, None], 1.0 - terminated[:, None], next_obs]
        open_bound = np.full((len(reward), 1), -np.inf)
        return torch.from_numpy(np.concatenate([*columns, open_bound], 1, dtype=np.float32))


def with_bounds(rows: Tensor, layout: Layout, discount: float) -> Tensor:
    """Rows of one terminated episode with the return that followed each step as lower bound.

    What has once been reached from a state and action bounds their optimal value from below
    (Wilcox et al., "Monte Carlo Augmented Actor-Critic", NeurIPS 2022).
    """
    out = rows.clone()
    reward = layout.split(rows)[2].tolist()
    total, bounds = 0.0, []
    for r in reversed(reward):
        total = r + discount * total
        bounds.append(total)
    out[:, -1] = torch.tensor(bounds[::-1])
    return out


class Replay:
    """Ring of the last transitions of n environments.

    Args:
        capacity: transitions kept at most, rounded down to a multiple of n.
        n: environments stepped together.
        layout: columns of a row.
        device: where rows are kept.
    """

    def __init__(self, capacity: int, n: int, layout: Layout, device: torch.device | str) -> None:
        self.n, self.layout = n, layout
        self.slots = max(capacity // n, 1)
        self.data = torch.zeros((self.slots, n, layout.width), device=device)
        self.slot = 0  # the next to be written
        self.filled = 0  # slots that hold something
        self.length = np.zeros(n, dtype=np.int64)  # steps of each running episode

    def __len__(self) -> int:
        return self.filled * self.n

    @property
    def nbytes(self) -> int:
        return self.data.nbytes

    def add(self, rows: Tensor, done: NDArray[np.bool_]) -> list[tuple[int, Tensor]]:
        """Append one step of all environments, rows (n, width).

        Returns:
            For each environment that is done: its index and its episode's rows, (T, width), as
            far as the ring still holds them.
        """
        self.data[self.slot] = rows.to(self.data.device)
        self.slot = (self.slot + 1) % self.slots
        self.filled = min(self.filled + 1, self.slots)
        self.length += 1
        ended = []
        for i in np.flatnonzero(done):
            steps = min(int(self.length[i]), self.slots)
            at = (self.slot - steps + torch.arange(steps)) % self.slots
            ended.append((int(i), self.data[at.to(self.data.device), int(i)]))
            self.length[i] = 0
        return ended

    def drop_running(self) -> None:
        """The running episodes were cut short from outside: they will not be completed."""
        self.length[:] = 0

    def sample(self, k: int, generator: torch.Generator) -> Tensor:
        """k rows, uniformly, with replacement: (k, width)."""
        flat = self.data.view(-1, self.layout.width)
        device = flat.device
        index = torch.randint(len(self), (k,), generator=generator, device=device)
        return flat.index_select(0, index)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything needed to go on exactly; only what is filled."""
        return {
            "data": self.data[: self.filled].clone(),
            "cursor": torch.tensor([self.slot, self.filled]),
            "length": torch.from_numpy(self.length.copy()),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.slot, self.filled = (int(x) for x in state["cursor"])
        self.data[: self.filled] = state["data"].to(self.data.device)
        self.length = state["length"].cpu().numpy().copy()


class Successes:
    """Worked examples, kept for good, and the latest successes of the learner's own.

    Args:
        capacity: own transitions kept at most; the oldest give way.
        layout: columns of a row.
        device: where rows are kept.
    """

    def __init__(self, capacity: int, layout: Layout, device: torch.device | str) -> None:
        self.layout = layout
        self.examples = torch.zeros((0, layout.width), device=device)
        self.own = torch.zeros((capacity, layout.width), device=device)
        self.cursor = 0
        self.filled = 0

    def __len__(self) -> int:
        return len(self.examples) + self.filled

    def teach(self, episodes: list[Episode], discount: float) -> None:
        """Take worked examples in."""
        rows = [episode_rows(episode, self.layout, discount) for episode in episodes]
        self.examples = torch.cat([self.examples, *(r.to(self.examples.device) for r in rows)])

    def add(self, rows: Tensor) -> None:
        """Take one successful episode in, (T, width), its bounds set."""
        at = (self.cursor + torch.arange(len(rows), device=self.own.device)) % len(self.own)
        self.own[at] = rows
        self.cursor = (self.cursor + len(rows)) % len(self.own)
        self.filled = min(self.filled + len(rows), len(self.own))

    def sample(self, k: int, generator: torch.Generator) -> Tensor:
        """k rows: half worked examples, half own successes, where there are both."""
        n_own = 0 if self.filled == 0 else k if len(self.examples) == 0 else k // 2
        parts = []
        for rows, count, size in (
            (self.examples, k - n_own, len(self.examples)),
            (self.own, n_own, self.filled),
        ):
            if count:
                draw = torch.randint(size, (count,), generator=generator, device=rows.device)
                parts.append(rows.index_select(0, draw))
        return torch.cat(parts)

    def state_dict(self) -> dict[str, Tensor]:
        return {
            "examples": self.examples.clone(),
            "own": self.own[: self.filled].clone(),
            "cursor": torch.tensor([self.cursor, self.filled]),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.cursor, self.filled = (int(x) for x in state["cursor"])
        self.examples = state["examples"].to(self.own.device)
        self.own[: self.filled] = state["own"].to(self.own.device)


def episode_rows(episode: Episode, layout: Layout, discount: float) -> Tensor:
    """Rows (T, width) of an episode; with bounds if it was not cut off."""
    ends = np.zeros(len(episode), dtype=bool)
    ends[-1] = episode.terminated
    obs = episode.observations
    rows = layout.rows(obs[:-1], episode.actions, episode.rewards, ends, obs[1:])
    return with_bounds(rows, layout, discount) if episode.terminated else rows
