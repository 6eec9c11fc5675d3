"""Past: transitions of tasks that are not practised today, and the behaviour to keep there."""

from __future__ import annotations

import torch
from torch import Tensor

from daytwo.memory.replay import Layout


class Past:
    """One reservoir a task; every task is drawn equally often, however much is kept of it.

    Beside each transition stands the action to keep there: cloning it keeps old behaviour where it
    matters (ClonEx-SAC, Wolczyk et al., NeurIPS 2022).

    Args:
        layout: columns of a row.
        device: where rows are kept.
    """

    def __init__(self, layout: Layout, device: torch.device | str) -> None:
        self.layout, self.device = layout, device
        self._kept: dict[str, Tensor] = {}  # task -> rows and actions side by side
        self._all = torch.zeros((0, layout.width + layout.action), device=device)
        self._start = torch.zeros(0, device=device)
        self._size = torch.zeros(0, device=device)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks of which something is kept, by name."""
        return tuple(self._kept)

    def keep(self, task: str, rows: Tensor, actions: Tensor) -> None:
        """Keep `rows` (k, width) and the `actions` (k, a) to take there in place of the task's.

        Raises:
            ValueError: there is no row.
        """
        if len(rows) == 0:
            raise ValueError(f"past: {task!r} comes with no transition; keep at least one")
        kept = self._kept | {task: torch.cat([rows, actions], dim=1).to(self.device)}
        # By name, as they come back from a checkpoint, so that the same ones are drawn then.
        self._kept = dict(sorted(kept.items()))
        self._all = torch.cat(list(self._kept.values()))
        sizes = torch.tensor([len(kept) for kept in self._kept.values()], device=self.device)
        self._size, self._start = sizes.float(), sizes.cumsum(0) - sizes

    def sample(self, k: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """k rows (k, width) and the actions to keep there (k, a), with replacement."""
        task = torch.randint(len(self._kept), (k,), generator=generator, device=self.device)
        where = torch.rand(k, generator=generator, device=self.device) * self._size[task]
        drawn = self._all.index_select(0, self._start[task] + where.long())
        rows, actions = drawn.split([self.layout.width, self.layout.action], dim=1)
        return rows, actions

    def state_dict(self) -> dict[str, Tensor]:
        """Task -> rows and actions side by side."""
        return {task: kept.clone() for task, kept in self._kept.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._kept, self._all = {}, self._all[:0]
        for task, kept in state.items():
            self.keep(task, *kept.split([self.layout.width, self.layout.action], dim=1))
