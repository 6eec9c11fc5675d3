"""Speed of fp32 matrix products, taken only where it costs no accuracy."""

from __future__ import annotations

import torch

ALLOWED = 1e-5  # largest relative error on a processor; bfloat16's is about 3e-3


def take_fast_products() -> None:
    """Let PyTorch choose faster fp32 products, as far as the processor's are still fp32.

    "medium" permits bfloat16. Some processors then take another fp32 routine at twice the speed,
    others truly round: one product of the learner's size tells which. A GPU takes TF32 for both
    "medium" and "high".
    """
    for precision in ("medium", "high", "highest"):
        torch.set_float32_matmul_precision(precision)
        if product_error() < ALLOWED:
            return


def product_error() -> float:
    """Error of a (256, 256) product on the processor, relative to its largest element."""
    a, b = torch.randn((2, 256, 256), generator=torch.Generator().manual_seed(0))
    exact = a.double() @ b.double()
    return float(((a @ b).double() - exact).abs().max() / exact.abs().max())
