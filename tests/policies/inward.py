"""The actor's Gaussian for autograd: limits that can be left again."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from daytwo.policies.networks import LEAST_LOG_STD, Actor


def gaussian(actor: Actor, obs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log standard deviation before tanh, (b, a) each."""
    mean, raw = actor(obs[:, : actor.sees])[0].chunk(2, dim=-1)
    return mean, Inward.apply(raw, LEAST_LOG_STD, actor.most)


class Inward(torch.autograd.Function):
    """Clamped; beyond the limits a gradient counts that leads back."""

    @staticmethod
    def forward(ctx: Any, raw: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(raw)
        ctx.limits = low, high
        return raw.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, by_out: Tensor) -> tuple[Tensor, None, None]:
        (raw,), (low, high) = ctx.saved_tensors, ctx.limits
        outward = ((raw > high) & (by_out < 0)) | ((raw < low) & (by_out > 0))
        return by_out.masked_fill(outward, 0.0), None, None
