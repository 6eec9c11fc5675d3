"""Teaches an estimator, by likelihood, from trials whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from daytwo.errors import InputError
from daytwo.policies.estimator import STRIDE, Estimator
from daytwo.policies.evidence import Evidence

HELD_BACK = 8  # one trial of so many is not learnt from, and tells when to stop
LOOKS = 10  # so often is looked how well it does at those
# Of weights, in AdamW: what hardly shows in trials is else learnt by heart (1 120 trials, 160 held
# back: loss -0.38 at best with 0.3, -0.40 with 0.1, but there it ends at -0.35; a target after two
# attempts off by 0.18 and 0.14 half-ranges).
DECAY = 0.1
TRUSTS = torch.linspace(0.0, 1.0, 21)  # shares of a precision that may be believed
# Where one is unsure, a likelihood hardly pulls at the mean, and so nobody gets surer: each term is
# weighted by its variance to this power (beta of Seitzer et al., "On the pitfalls of
# heteroscedastic uncertainty estimation", ICLR 2022).
UNSURE_TOO = 0.5

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
    batch: int = 16,
    rate: float = 2e-3,
    retell: Retell | None = None,
    done: Callable[[int], None] = lambda more: None,
) -> float:
    """Move the estimator towards what was true in m trials, and keep what was best at an eighth of
    them that is held back; its loss there. At last it trusts what it says of each condition as far
    as that serves it there (Guo et al., "On calibration of modern neural networks", ICML 2017).

    Args:
        estimator: to be moved.
        x: features (m, t, f), of which the first `length` (m,) steps count.
        length: see x.
        truth: (m, c) in half-ranges from the middle.
        updates: gradient updates.
        seed: of the batches.
        batch: trials an update learns from.
        rate: learning rate at the start; it falls to nothing (Loshchilov and Hutter, SGDR, AdamW).
        retell: changes what trials tell each time they are learnt from.
        done: called with how many updates more are made.

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
    optimizer = torch.optim.AdamW(estimator.parameters(), lr=rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(updates, 1))
    estimator.trust.fill_(1.0)
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
        loss = _loss(estimator, told, length[rows], now, UNSURE_TOO)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(estimator.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        done(1)
    estimator.load_state_dict(weights)
    return _trust(estimator, x[kept], length[kept], true[kept])


@torch.no_grad()
def _trust(
    estimator: Estimator,
    x: NDArray[np.float32],
    length: NDArray[np.int64],
    truth: NDArray[np.float32],
) -> float:
    """Set how far it trusts itself in each condition by what serves it best; its loss then."""
    felt, count = stretches(x, length)
    found = told(estimator, felt, count)
    scaled = (Evidence(s * found.precision, s * found.weighted) for s in TRUSTS)
    missed = torch.stack([_missed(*each.belief(), truth, count) for each in scaled])
    best, at = missed.min(dim=0)
    estimator.trust.copy_(TRUSTS[at])
    return float(best.mean())


def stretches(
    x: NDArray[np.float32], length: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Trials (m, t, f), of which the first `length` (m,) steps count, as attempts in stretches
    (m, a, n, STRIDE, f); and how many of these count, (m, a). A step whose last feature says so
    begins an attempt.
    """
    m, t, f = x.shape
    step = np.arange(t)
    live = step < length[:, None]
    begins = (x[..., -1] > 0.5) | (step == 0)
    attempt = np.cumsum(begins, axis=1) - 1
    since = step - np.maximum.accumulate(np.where(begins, step, 0), axis=1)
    trial, now = np.nonzero(live)
    where = trial, attempt[live], since[live] // STRIDE
    a, n = (int(part.max(initial=0)) + 1 for part in where[1:])
    out = np.zeros((m, a, n, STRIDE, f), dtype=np.float32)
    out[*where, since[live] % STRIDE] = x[trial, now]
    count = np.zeros((m, a), dtype=np.int64)
    np.maximum.at(count, where[:2], where[2] + 1)
    return out, count


def believed(
    estimator: Estimator, felt: NDArray[np.float32], count: NDArray[np.int64]
) -> tuple[Tensor, Tensor]:
    """Means and logarithms of spreads (m, a, n, c) of what has to be believed; see `told`."""
    return told(estimator, felt, count).belief()


def told(estimator: Estimator, felt: NDArray[np.float32], count: NDArray[np.int64]) -> Evidence:
    """What m trials, as `stretches` makes them, have told by the end of each stretch, (m, a, n, c);
    where there is none, by the end of the attempt.
    """
    (m, a, n), some = felt.shape[:3], np.flatnonzero(count)
    packed = pack_padded_sequence(
        torch.from_numpy(felt.reshape(m * a, *felt.shape[2:])[some]),
        torch.from_numpy(count.reshape(-1)[some]),
        batch_first=True,
        enforce_sorted=False,
    )
    found = estimator.along(packed)

    def padded(part: Tensor) -> Tensor:
        """(m, a, n, c), and after an attempt's end what it told by then."""
        each, lengths = pad_packed_sequence(packed._replace(data=part), batch_first=True)
        at = torch.minimum(torch.arange(each.shape[1]), lengths[:, None] - 1)
        each = each.gather(1, at[..., None].expand_as(each))
        out = torch.zeros(m * a, n, each.shape[-1])
        out[some] = each
        return out.view(m, a, n, -1)

    now = Evidence(padded(found.precision), padded(found.weighted))
    before = Evidence(*(_before(part[:, :, -1:]) for part in (now.precision, now.weighted)))
    return before + now


def _before(whole: Tensor) -> Tensor:
    """Sums over a trial's earlier attempts, (m, a, 1, c)."""
    return whole.cumsum(dim=1) - whole


def negative_log_likelihood(mean: Tensor, log_spread: Tensor, truth: Tensor) -> Tensor:
    """Of a Gaussian, up to a constant, elementwise."""
    return log_spread + 0.5 * ((truth - mean) * (-log_spread).exp()) ** 2


def _loss(
    estimator: Estimator,
    x: NDArray[np.float32],
    length: NDArray[np.int64],
    truth: NDArray[np.float32],
    unsure_too: float = 0.0,
) -> Tensor:
    """Mean over conditions of `_missed`."""
    felt, count = stretches(x, length)
    return _missed(*believed(estimator, felt, count), truth, count, unsure_too).mean()


def _missed(
    mean: Tensor,
    log_spread: Tensor,
    truth: NDArray[np.float32],
    count: NDArray[np.int64],
    unsure_too: float = 0.0,
) -> Tensor:
    """By how much beliefs (m, a, n, c) miss the truth (m, c), of each condition (c,): mean over all
    stretches, of which attempts have `count` (m, a), and once more over the ends of attempts, from
    which the next one goes on (and of the last, as far as it is noted). Terms are weighted by their
    variance to the power of `unsure_too`.
    """
    true = torch.from_numpy(truth)[:, None, None]
    missed = negative_log_likelihood(mean, log_spread, true)
    missed = missed * (2 * unsure_too * log_spread.detach()).exp()
    made = torch.from_numpy(np.arange(mean.shape[2]) < count[..., None])
    ends = missed[:, :, -1][made[:, :, 0]]
    return 0.5 * (missed[made].mean(dim=0) + ends.mean(dim=0))
