"""Small multilayer perceptrons, several as one, with their gradients written out.

Autograd gives the same numbers and works here too. At batches of a few hundred its bookkeeping
costs as much as the products themselves; an update that calls `weight_gradient` and
`input_gradient` does without, and computes no gradient that nobody asks for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

Layers = list[tuple[Tensor, Tensor]]  # weights and biases


class Tape(list[tuple[Tensor, ...]]):
    """Of each layer: its input, and what its normalisation needs."""


class MLP(nn.Module):
    """`n` perceptrons of one shape, fed the same input; ReLU between layers.

    All weights are views of one vector, so that an optimiser has one tensor to step.

    Args:
        sizes: units of input, hidden layers and output.
        n: perceptrons; each layer is one batched product.
        norm: normalise hidden layers before the ReLU, without affine parameters (Ba et al., "Layer
            Normalization", 2016); this much is added to the variance. 0: do not.
    """

    ones: Tensor
    zeros: Tensor

    def __init__(self, sizes: tuple[int, ...], n: int = 1, norm: float = 0.0) -> None:
        super().__init__()
        self.n, self.norm = n, norm
        self.shapes = [s for i, o in pairwise(sizes) for s in ((n, i, o), (n, 1, o))]
        self.lengths = [math.prod(shape) for shape in self.shapes]
        self.flat = nn.Parameter(torch.empty(sum(self.lengths)))
        self.register_buffer("ones", torch.ones(max(sizes)), persistent=False)
        self.register_buffer("zeros", torch.zeros(max(sizes)), persistent=False)
        self._kept: dict[int, Layers] = {}
        with torch.no_grad():
            for weight, bias in self.layers():
                bound = 1 / math.sqrt(weight.shape[1])  # as nn.Linear
                weight.uniform_(-bound, bound)
                bias.uniform_(-bound, bound)

    def layers(self) -> Layers:
        """Views of the weights (n, in, out) and biases (n, 1, out) of each layer."""
        return self._split(self.flat) if torch.is_grad_enabled() else self._views(self.flat)

    def _split(self, flat: Tensor) -> Layers:
        parts = flat.split(self.lengths)
        views = [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]
        return list(zip(views[::2], views[1::2], strict=True))

    def _views(self, flat: Tensor) -> Layers:
        """Made once for as long as the vector stays where it is."""
        where = flat.data_ptr()
        if where not in self._kept:
            if len(self._kept) > 1:  # of the weights and of their gradient; it has moved
                self._kept.clear()
            self._kept[where] = self._split(flat.detach())
        return self._kept[where]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}  # a copy's vector lies elsewhere

    def forward(self, x: Tensor, tape: Tape | None = None) -> Tensor:
        """Outputs (n, b, out) of inputs (b, in); `tape` receives what the gradients need."""
        *hidden, (last, last_bias) = self.layers()
        h, kept = x.expand(self.n, *x.shape), Tape()
        for weight, bias in hidden:
            z = torch.bmm(h, weight).add_(bias)  # faster than baddbmm
            if self.norm:  # given a weight, if only of ones, PyTorch takes its faster loop
                units = z.shape[-1:]
                one, zero = self.ones[: units[0]], self.zeros[: units[0]]
                y, mean, rstd = torch.native_layer_norm(z, units, one, zero, self.norm)
                kept.append((h, z, mean, rstd))
                h = y.relu_()
            else:
                kept.append((h,))
                h = z.relu_()
        if tape is not None:
            tape[:] = [*kept, (h,)]
        return _thin(h, last) + last_bias

    @torch.no_grad()
    def weight_gradient(self, tape: Tape, grad: Tensor) -> None:
        """Set `flat.grad`, given the loss's gradient by the outputs, (n, b, out)."""
        if self.flat.grad is None:
            self.flat.grad = torch.empty_like(self.flat)
        into = self._views(self.flat.grad)
        for i, g in self._by_layer(tape, grad):
            weight, bias = into[i]
            x = tape[i][0]
            if i == len(tape) - 1:
                weight.copy_(_thin(x.mT, g))
            else:
                torch.bmm(x.mT, g, out=weight)
            torch.sum(g, 1, keepdim=True, out=bias)

    @torch.no_grad()
    def input_gradient(self, tape: Tape, grad: Tensor, start: int = 0) -> Tensor:
        """The loss's gradient by the input columns from `start` on, (b, in - start)."""
        *_, (_, g) = self._by_layer(tape, grad)
        return _thin(g, self.layers()[0][0][:, start:].mT).sum(0)

    def _by_layer(self, tape: Tape, grad: Tensor) -> Iterator[tuple[int, Tensor]]:
        """From last to first layer: its index, the gradient by what it puts out, (n, b, units)."""
        layers, aten = self.layers(), torch.ops.aten
        for i in range(len(tape) - 1, 0, -1):
            yield i, grad
            back = layers[i][0].mT
            grad = grad * back if back.shape[1] == 1 else torch.bmm(grad, back)
            grad = aten.threshold_backward.default(grad, tape[i][0], 0)
            if self.norm:
                _, z, mean, rstd = tape[i - 1]
                wanted = (True, False, False)  # of input, weight and bias
                grad = aten.native_layer_norm_backward.default(
                    grad, z, z.shape[-1:], mean, rstd, None, None, wanted
                )[0]
        yield 0, grad


def _thin(a: Tensor, b: Tensor) -> Tensor:
    """a @ b for `b` of few columns, in the operand order that BLAS is far faster at."""
    return torch.bmm(b.mT, a.mT).mT
