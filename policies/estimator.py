"""Says what is hidden in a trial, and how sure that is, from what an arm feels.

Each attempt is a measurement of its own: a recurrent network reads it from its begin and says what
it tells so far, as a mean and a precision of each condition. A trial's attempts are put together as
independent Gaussian measurements are (like the product of factors in PEARL: Rakelly et al., ICML
2019): nothing is forgotten, their order does not matter, and two attempts tell more than one. What
is hidden is estimated apart from acting on it (Humplik et al., "Meta reinforcement learning as task
inference", 2019), from what is told as it is told, whatever is believed of it already, and from a
few steps at once: they show how an arm answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from daytwo.errors import InputError
from daytwo.memory.checkpoint import load_checkpoint, save_checkpoint
from daytwo.policies.config import CLIP, GAINS
from daytwo.policies.evidence import KNOWN, Evidence
from daytwo.policies.networks import finely
from daytwo.policies.outlook import Outlook
from daytwo.policies.probing import Worth

STRIDE = 5  # steps from one belief to the next, a quarter of a second
# What an attempt tells is so precise, in units of what is known before anything is measured: LEAST
# and a square, of MOST at most. Where an attempt tells nothing yet, a square can still learn that
# it does (an exponential's gradient is gone).
LEAST, MOST = 0.003, 20.0
FIRST = 0.5  # what is squared before anything is learnt; with 0.1 two of three toys never learnt


class Estimator(nn.Module):
    """A gated recurrent unit from an attempt's felt steps to evidence of c hidden conditions.

    It takes a stretch of `STRIDE` steps at a time. A stretch ends with its attempt, too; of steps
    that are missing then nothing is felt. The latest stretch is seen past the recurrent unit as
    well, since how an attempt ends tells most.

    Args:
        scale: typical size (o,) of each observation element, by which it is divided.
        action: elements of an action.
        names: of the conditions.
        hidden: units.
        fine: observation elements that it sees finely, too.
    """

    scale: Tensor
    trust: Tensor

    def __init__(
        self,
        scale: ArrayLike,
        action: int,
        names: Sequence[str],
        hidden: int = 128,
        fine: Sequence[int] = (),
    ) -> None:
        super().__init__()
        size = torch.as_tensor(np.asarray(scale, dtype=np.float32))
        self.register_buffer("scale", size)
        # How much of the precision that it claims of each condition is to be believed.
        self.register_buffer("trust", torch.ones(len(names)))
        self.names, self.hidden, self.action = tuple(names), hidden, action
        self.worth: Worth | None = None  # what probes are worth to it, where that was measured
        self.outlook: Outlook | None = None  # what attempts promise, where that was learnt
        self.features = len(size) + action + 2
        self.fine = list(fine)
        self.enter = nn.Linear(STRIDE * (self.features + len(GAINS) * len(self.fine)), hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)
        self.mix = nn.Linear(2 * hidden, hidden)
        self.leave = nn.Linear(3 * hidden, 2 * len(self.names))
        with torch.no_grad():  # at first an attempt tells little, of all alike
            self.leave.weight.mul_(0.1)
            self.leave.bias.zero_()
            self.leave.bias[len(self.names) :] = FIRST

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Evidence, Tensor]:
        """What an attempt tells until the end of each stretch, (b, t, c); state (1, b, hidden).

        Args:
            x: stretches (b, t, STRIDE, f) of features as `felt` makes them.
            state: from where to go on; None: an attempt begins.
        """
        entered = torch.relu(self.enter(finely(x, self.fine).flatten(2)))
        h, state = self.gru(entered, state)
        return self._evidence(h, entered), state

    def along(self, felt: PackedSequence) -> Evidence:
        """What attempts tell until the end of each of all their k stretches, (k, c), in the order
        in which these are packed.
        """
        entered = torch.relu(self.enter(finely(felt.data, self.fine).flatten(1)))
        h, _ = self.gru(felt._replace(data=entered))
        return self._evidence(h.data, entered)

    def _evidence(self, h: Tensor, entered: Tensor) -> Evidence:
        both = torch.cat([h, entered], dim=-1)
        mixed = torch.cat([both, torch.relu(self.mix(both))], dim=-1)
        mean, root = self.leave(mixed).chunk(2, dim=-1)
        claimed = KNOWN * (LEAST + root.clamp(-MOST, MOST) ** 2)
        return Evidence.measured(mean, self.trust * claimed)

    def save(self, path: str | Path) -> None:
        """Write it as a checkpoint."""
        parts = {"estimator": {k: v.numpy() for k, v in self.state_dict().items()}}
        meta: dict[str, Any] = {"names": list(self.names), "action": self.action}
        meta |= {"hidden": self.hidden, "fine": self.fine}
        if self.worth is not None:
            parts["worth"], meta["worth"] = self.worth.parts()
        if self.outlook is not None:
            parts["outlook"], meta["outlook"] = self.outlook.parts()
        save_checkpoint(Path(path), parts, {"algorithm": "Estimator", **meta})

    @classmethod
    def load(cls, path: str | Path) -> Estimator:
        """Read a checkpoint.

        Raises:
            InputError: none there, damaged, or of something else.
        """
        parts, meta = load_checkpoint(Path(path))
        if meta.get("algorithm") != "Estimator":
            raise InputError(f"checkpoint {path}: holds a {meta.get('algorithm')!r}, no estimator")
        weights = {k: torch.from_numpy(v) for k, v in parts["estimator"].items()}
        weights.setdefault("trust", torch.ones(len(meta["names"])))  # as before it was known
        sizes = meta["action"], meta["names"], meta["hidden"], meta.get("fine", ())
        made = cls(weights["scale"].numpy(), *sizes)
        try:
            made.load_state_dict(weights)
        except RuntimeError as error:
            raise InputError(
                f"checkpoint {path}: its estimator is of another version of daytwo; study anew"
            ) from error
        if "worth" in parts:
            made.worth = Worth.of(parts["worth"], meta["worth"])
        if "outlook" in parts:
            made.outlook = Outlook.of(parts["outlook"], meta["outlook"])
        return made

    def felt(
        self,
        told: NDArray[np.floating],
        action: NDArray[np.floating],
        won: NDArray[np.bool_],
        fresh: NDArray[np.bool_],
    ) -> Tensor:
        """Features (n, f) of observations as told (n, o), actions (n, a) that led there, whether
        they were worth it (n,): an attempt was won, and whether one has just begun (n,).
        """
        obs = torch.from_numpy(np.asarray(told, dtype=np.float32)) / self.scale.cpu()
        rest = (action, won[:, None], fresh[:, None])
        parts = [torch.from_numpy(np.asarray(x, np.float32)) for x in rest]
        return torch.cat([obs.clamp(-CLIP, CLIP), *parts], dim=1)
