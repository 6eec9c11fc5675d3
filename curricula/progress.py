"""Teachers that look at success: by p(1-p), and by learning progress.

Progress is paid to the teacher, never to the policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daytwo.curricula.teacher import MEMORY, Teacher, plain
from daytwo.curricula.textbook import Textbook


class Learnability(Teacher):
    """By p(1-p) of each cell's success p in practice (Rutherford et al., "No regrets", 2024)."""

    kind = "learnability"

    def share(self) -> NDArray[np.float64]:
        return self._by(self.learnable())

    def _by(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares by weights (c,) that are not negative, most for the heaviest, some for all."""
        n, uniform = len(weight), self.page.uniform
        most = weight.max()
        if most == 0:
            return np.full(n, 1 / n)
        sharp = (weight / most) ** self.page.focus
        return np.asarray(uniform / n + (1 - uniform) * sharp / sharp.sum())

    def learnable(self) -> NDArray[np.float64]:
        """p(1-p) of each cell's success p in practice, (c,)."""
        # A cell that was never tried counts as a coin's toss: as worth trying as can be.
        n = np.minimum(self._attempts, MEMORY)
        p = (n * self._success + 1) / (n + 2)
        return np.asarray(p * (1 - p))


class Progress(Learnability):
    """By learning progress on probes, which ask the same questions each time.

    Progress of a cell is how far a fast average of its success is above a slow one (Matiisen et
    al., TSCL, 2017; Kanitscheider et al., 2021), and how far it is below the best it ever was,
    which is to be regained; each less the standard error that chance alone makes. Where nothing is
    known to move, p(1-p) says where something may (see `Learnability`); a uniform share keeps the
    rest from being given up (Portelas et al., ALP-GMM, 2019).
    """

    kind = "progress"

    def __init__(self, textbook: Textbook) -> None:
        super().__init__(textbook)
        c = len(self.grid)
        self._fast, self._slow, self._best = (np.full(c, np.nan) for _ in range(3))
        self._asked = np.zeros(c, dtype=np.int64)  # questions in the last probe

    def probed(self, good: NDArray[np.int64], of: NDArray[np.int64]) -> list[str]:
        seen = of > 0
        rate = good / np.maximum(of, 1)
        for average, weight in ((self._fast, self.page.fast), (self._slow, self.page.slow)):
            moved = np.where(np.isnan(average), rate, average + weight * (rate - average))
            average[seen] = moved[seen]
        self._best[seen] = np.fmax(self._best, self._fast)[seen]
        self._asked[seen] = of[seen]
        return super().probed(good, of)

    def progress(self) -> NDArray[np.float64]:
        fast, slow = self.page.fast, self.page.slow
        # Variance of averages of independent x: of one with weight a, a/(2-a) Var x.
        of_fast, of_slow = fast / (2 - fast), slow / (2 - slow)
        together = fast * slow / (fast + slow - fast * slow)
        one = self._spread()
        risen = self._fast - self._slow - one * np.sqrt(of_fast + of_slow - 2 * together)
        fallen = self._best - self._fast - one * np.sqrt(of_fast)
        return np.nan_to_num(np.maximum(risen, 0.0) + np.maximum(fallen, 0.0))

    def _spread(self) -> NDArray[np.float64]:
        """Standard deviation of one probe's success, (c,); not 0 where all or none succeeded."""
        p = (self._fast * self._asked + 1) / (self._asked + 2)
        return np.asarray(np.sqrt(p * (1 - p) / np.maximum(self._asked, 1)))

    def share(self) -> NDArray[np.float64]:
        # Both are on the scale of success, so that where little moves p(1-p) decides.
        keep = self.page.learnability
        weight = keep * self.learnable() + (1 - keep) * self.progress()
        return self._by(weight)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "fast": plain(self._fast),
            "slow": plain(self._slow),
            "best": plain(self._best),
            "asked": self._asked.tolist(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._fast, self._slow, self._best = (
            np.array(state[name], dtype=np.float64) for name in ("fast", "slow", "best")
        )
        self._asked = np.array(state["asked"], dtype=np.int64)
