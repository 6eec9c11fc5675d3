"""Random minibatches of transitions from a memory, straight to tensors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from daytwo.errors import InputError
from daytwo.memory.record import Record
from daytwo.memory.replay import Layout, episode_rows
from daytwo.memory.rows import Damaged, Rows
from daytwo.memory.store import Store


class Sampler:
    """Transitions of a store, drawn without reading all of it.

    Args:
        store: a memory; reading is enough.
        layout: columns of a row, which must fit the memory's.
        discount: by which bounds of terminated episodes are reckoned. The cache is kept for one;
            another makes it anew.

    Raises:
        InputError: the layout does not fit, an episode is damaged, or the disk is full.
    """

    def __init__(self, store: Store, layout: Layout, discount: float) -> None:
        about = store.about
        if (layout.obs, layout.action) != (about.observations, len(about.action)):
            raise InputError(
                f"memory {store.folder}: observations have {about.observations} elements and "
                f"actions {len(about.action)}; the learner's have {layout.obs} and {layout.action}"
            )
        self.layout = layout
        width = layout.obs + layout.action + 3  # a row but for the next observation

        def encode(record: Record) -> NDArray[np.float32]:
            rows = episode_rows(record.episode, layout, discount).numpy()
            made = np.zeros((len(rows) + 1, width), np.float32)
            made[:-1, : width - 1] = rows[:, : width - 1]
            made[:-1, -1] = rows[:, -1]
            made[-1, : layout.obs] = record.episode.observations[-1]
            return made

        self._rows = Rows(store, width, f"transitions {layout} {discount}", encode)

    def __len__(self) -> int:
        """Transitions."""
        return int(self._rows.steps.sum())

    def refresh(self) -> None:
        """Take in what was appended to the store, or dropped from it, since."""
        self._rows.refresh()

    def sample(
        self, k: int, generator: torch.Generator, ids: Sequence[int] | None = None
    ) -> Tensor:
        """k transitions, uniformly, with replacement: (k, layout.width).

        The same rows as drawing from the `episode_rows` of all episodes, or of `ids`, one after
        the other; their columns are those of `Layout.rows`.

        Raises:
            InputError: there is nothing to draw from, or an id is not in the memory.
        """
        episodes = self._positions(ids)
        ends = np.cumsum(self._rows.steps[episodes])
        if len(ends) == 0:
            raise InputError(f"memory {self._rows.store.folder}: no episode to sample from")
        before = generator.get_state()
        draw = torch.randint(
            int(ends[-1]), (k,), generator=generator, device=generator.device
        ).cpu()
        at = np.searchsorted(ends, draw.numpy(), side="right")
        episode = episodes[at]
        step = draw.numpy() - ends[at] + self._rows.steps[episode]
        try:
            now, after = self._rows.take(episode, step)
        except Damaged:
            warnings.warn(f"{self._rows.path}: damaged; made anew from the episodes", stacklevel=2)
            self._rows.remake()
            generator.set_state(before)
            return self.sample(k, generator, ids)
        columns = [now[:, :-1], after[:, : self.layout.obs], now[:, -1:]]
        return torch.from_numpy(np.concatenate(columns, axis=1))

    def _positions(self, ids: Sequence[int] | None) -> NDArray[np.int64]:
        """Where the episodes of `ids` stand among the cache's."""
        known = self._rows.ids
        if ids is None:
            return np.arange(len(known))
        wanted = np.asarray(ids, dtype=np.int64)
        at = np.searchsorted(known, wanted)
        missing = at == len(known)
        missing[~missing] = known[at[~missing]] != wanted[~missing]
        if missing.any():
            raise InputError(
                f"memory {self._rows.store.folder}: no episode {wanted[missing][0]} to sample "
                "from; `refresh` takes in new ones"
            )
        return at
