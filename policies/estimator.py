"""Which hidden conditions explain what was felt: a recurrent estimate with its uncertainty.

Learnt by likelihood from the policy's own trials, where the truth is known (Humplik et al., "Meta
reinforcement learning as task inference", 2019). It looks at what is told as it is told, whatever
is believed of it already, and at a few steps at once: they show how an arm answers, and a trial is
then short enough to learn from as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from daytwo.errors import InputError
from daytwo.memory.checkpoint import load_checkpoint, save_checkpoint
from daytwo.policies.config import CLIP, GAINS
from daytwo.policies.networks import finely
from daytwo.policies.probing import Worth

STRIDE = 5  # steps from one belief to the next, a quarter of a second
HELD_BACK = 8  # one trial of so many is not learnt from, and tells when to stop
LOOKS = 10  # so often is looked how well it does at those
SURE, UNSURE = math.log(0.02), math.log(1.0)  # range of the logarithm of a spread


class Estimator(nn.Module):
    """A gated recurrent unit from felt steps to the mean and spread of c hidden conditions.

    It takes a stretch of `STRIDE` steps at a time. A stretch ends with its attempt, too; of steps
    that are missing then nothing is felt.

    Args:
        scale: typical size (o,) of each observation element, by which it is divided.
        action: elements of an action.
        names: of the conditions.
        hidden: units.
        fine: observation elements that it sees finely, too.
    """

    scale: Tensor

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
        self.names, self.hidden, self.action = tuple(names), hidden, action
        self.worth: Worth | None = None  # what probes are worth to it, where that was measured
        self.features = len(size) + action + 2
        self.fine = list(fine)
        self.enter = nn.Linear(STRIDE * (self.features + len(GAINS) * len(self.fine)), hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)
        self.leave = nn.Linear(hidden, 2 * len(self.names))
        with torch.no_grad():  # at first it says what is known of anything: -1 to 1
            self.leave.weight.mul_(0.1)
            self.leave.bias.zero_()
            self.leave.bias[len(self.names) :] = -0.5 * math.log(3.0)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Means and logarithms of spreads (b, t, c) after each stretch; state (1, b, hidden).

        Args:
            x: stretches (b, t, STRIDE, f) of features as `felt` makes them.
            state: from where to go on; None: nothing was felt yet.
        """
        h, state = self.gru(torch.relu(self.enter(finely(x, self.fine).flatten(2))), state)
        mean, log_spread = self.leave(h).chunk(2, dim=-1)
        return mean, log_spread.clamp(SURE, UNSURE), state

    def along(self, felt: PackedSequence) -> tuple[Tensor, Tensor]:
        """Means and logarithms of spreads (k, c) after all k stretches of trials from their begin,
        in the order in which the stretches are packed.
        """
        h = torch.relu(self.enter(finely(felt.data, self.fine).flatten(1)))
        out, _ = self.gru(felt._replace(data=h))
        mean, log_spread = self.leave(out.data).chunk(2, dim=-1)
        return mean, log_spread.clamp(SURE, UNSURE)

    def save(self, path: str | Path) -> None:
        """Write it as a checkpoint."""
        parts = {"estimator": {k: v.numpy() for k, v in self.state_dict().items()}}
        meta = {"names": list(self.names), "action": self.action, "hidden": self.hidden}
        meta["fine"] = self.fine
        if self.worth is not None:
            parts["worth"], meta["worth"] = self.worth.parts()
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


def stretches(
    x: NDArray[np.float32], length: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Trials (m, t, f), of which the first `length` (m,) steps count, in stretches (m, n, STRIDE,
    f); and how many of these count, (m,). A step whose last feature says that an attempt has just
    begun begins a stretch.
    """
    m, t, f = x.shape
    step = np.arange(t)
    live = step < length[:, None]
    begun = np.maximum.accumulate(np.where(x[..., -1] > 0.5, step, 0), axis=1)
    at = (step - begun) % STRIDE
    which = np.cumsum((at == 0) & live, axis=1) - 1
    count = which.max(axis=1, initial=-1) + 1
    out = np.zeros((m, int(count.max(initial=0)), STRIDE, f), dtype=np.float32)
    trial, now = np.nonzero(live)
    out[trial, which[trial, now], at[trial, now]] = x[trial, now]
    return out, count


def negative_log_likelihood(mean: Tensor, log_spread: Tensor, truth: Tensor) -> Tensor:
    """Of a Gaussian, up to a constant, elementwise."""
    return log_spread + 0.5 * ((truth - mean) * (-log_spread).exp()) ** 2


Retell = Callable[
    [NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], np.random.Generator],
    tuple[NDArray[np.float32], NDArray[np.float32]],
]
# Features and truths of trials (b,), which they are, chance: the same as they might have been told.


def fit(
    estimator: Estimator,
    x: NDArray[np.float32],
    length: NDArray[np.int64],
    truth: ArrayLike,
    updates: int,
    seed: int = 0,
    batch: int = 64,
    rate: float = 2e-3,
    retell: Retell | None = None,
) -> float:
    """Move the estimator towards what was true in m trials, and keep what was best at an eighth of
    them that is held back; its loss there.

    Args:
        estimator: to be moved.
        x: features (m, t, f), of which the first `length` (m,) steps count.
        length: see x.
        truth: (m, c) in half-ranges from the middle.
        updates: gradient updates.
        seed: of the batches.
        batch: trials an update learns from.
        rate: Adam learning rate at the start; it falls to nothing (Loshchilov and Hutter, SGDR).
        retell: changes what trials tell each time they are learnt from.

    Raises:
        InputError: a number is not finite, or there is one trial alone.
    """
    for what, values in (("features", x), ("truth", truth)):
        if not np.isfinite(values).all():
            raise InputError(f"estimator: {what} hold a number that is not finite")
    true, rng = np.asarray(truth, dtype=np.float32), np.random.default_rng(seed)
    # By number, so that they are the same when more trials come and it goes on learning.
    back = np.arange(len(x)) % HELD_BACK == 0
    kept, learnt = np.flatnonzero(back), np.flatnonzero(~back)
    if len(learnt) == 0:
        raise InputError(f"estimator: {len(x)} trials; give two at least")
    optimizer = torch.optim.Adam(estimator.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(updates, 1))
    best, weights = math.inf, deepcopy(estimator.state_dict())
    for k in range(updates + 1):
        if k % max(1, updates // LOOKS) == 0:
            with torch.no_grad():
                missed = float(_loss(estimator, x[kept], length[kept], true[kept]))
            if missed < best:
                best, weights = missed, deepcopy(estimator.state_dict())
        if k == updates:
            break
        rows = rng.choice(learnt, size=min(batch, len(learnt)), replace=False)
        told, now = x[rows, : length[rows].max()], true[rows]
        if retell is not None:
            told, now = retell(told, now, rows, rng)
        loss = _loss(estimator, told, length[rows], now)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(estimator.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    estimator.load_state_dict(weights)
    return best


def _loss(
    estimator: Estimator,
    x: NDArray[np.float32],
    length: NDArray[np.int64],
    truth: NDArray[np.float32],
) -> Tensor:
    """Mean over all stretches of trials (m, t, f) and all conditions (m, c)."""
    felt, count = (torch.from_numpy(part) for part in stretches(x, length))
    repeated = torch.from_numpy(truth)[:, None].expand(-1, felt.shape[1], -1)
    packed, true = (
        pack_padded_sequence(part, count, batch_first=True, enforce_sorted=False)
        for part in (felt, repeated)
    )
    mean, log_spread = estimator.along(packed)
    return negative_log_likelihood(mean, log_spread, true.data).mean()
