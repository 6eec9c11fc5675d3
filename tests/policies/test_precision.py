"""Fast products only where they are still fp32."""

from collections.abc import Iterator

import pytest
import torch

from daytwo.policies import precision


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


def test_whatever_is_taken_here_is_accurate() -> None:
    precision.take_fast_products()
    assert 0 < precision.product_error() < precision.ALLOWED


@pytest.mark.parametrize("accurate", ["medium", "high", "highest"])
def test_the_fastest_that_is_accurate_is_taken(
    accurate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = ["medium", "high", "highest"]

    def error() -> float:
        rounds = order.index(torch.get_float32_matmul_precision()) < order.index(accurate)
        return 3e-3 if rounds else 1e-7

    monkeypatch.setattr(precision, "product_error", error)
    precision.take_fast_products()
    assert torch.get_float32_matmul_precision() == accurate


def test_rounding_to_bfloat16_would_be_seen() -> None:
    a, b = torch.randn((2, 256, 256), generator=torch.Generator().manual_seed(0))
    exact = a.double() @ b.double()
    rounded = a.bfloat16().double() @ b.bfloat16().double()
    assert (rounded - exact).abs().max() / exact.abs().max() > 100 * precision.ALLOWED
