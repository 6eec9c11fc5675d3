"""The past: every task is drawn equally often, with the behaviour that belongs to it."""

from __future__ import annotations

import pytest
import torch

from daytwo.memory.past import Past
from daytwo.memory.replay import Layout

LAYOUT = Layout(obs=2, action=1)


def rows(value: float, k: int) -> torch.Tensor:
    return torch.full((k, LAYOUT.width), value)


def past(**sizes: int) -> Past:
    kept = Past(LAYOUT, "cpu")
    for i, (task, k) in enumerate(sizes.items(), start=1):
        kept.keep(task, rows(i, k), torch.full((k, 1), 10.0 * i))
    return kept


def test_a_small_task_is_drawn_as_often_as_a_large_one() -> None:
    kept = past(large=5000, small=3)
    drawn, actions = kept.sample(4000, torch.Generator().manual_seed(0))
    assert drawn.shape == (4000, LAYOUT.width)
    assert abs((drawn[:, 0] == 2).float().mean().item() - 0.5) < 0.05
    assert torch.equal(actions[:, 0], 10 * drawn[:, 0])  # the action belongs to its row


def test_every_row_is_drawn() -> None:
    kept = Past(LAYOUT, "cpu")
    kept.keep("a", torch.arange(5.0)[:, None].expand(5, LAYOUT.width), torch.zeros(5, 1))
    drawn, _ = kept.sample(300, torch.Generator().manual_seed(0))
    assert set(drawn[:, 0].tolist()) == {0, 1, 2, 3, 4}


def test_keeping_a_task_again_replaces_it() -> None:
    kept = past(a=4, b=4)
    kept.keep("a", rows(7, 2), torch.zeros(2, 1))
    assert len(kept) == 6
    drawn, _ = kept.sample(200, torch.Generator().manual_seed(0))
    assert set(drawn[:, 0].tolist()) == {7, 2}


def test_state_goes_round() -> None:
    kept, again = past(a=4, b=9), Past(LAYOUT, "cpu")
    again.load_state_dict(kept.state_dict())
    assert again.tasks == ("a", "b")
    one, two = (p.sample(50, torch.Generator().manual_seed(3)) for p in (kept, again))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])


def test_the_order_in_which_tasks_came_makes_no_difference() -> None:
    """A checkpoint gives its tensors back in the order of their names."""
    kept, again = past(zeta=4, alpha=9), Past(LAYOUT, "cpu")
    again.load_state_dict(dict(sorted(kept.state_dict().items())))
    one, two = (p.sample(50, torch.Generator().manual_seed(3)) for p in (kept, again))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])


def test_an_empty_state_leaves_nothing() -> None:
    kept = past(a=4)
    kept.load_state_dict({})
    assert len(kept) == 0
    assert kept.tasks == ()


def test_nothing_to_keep_is_refused() -> None:
    kept = past(a=2)
    with pytest.raises(ValueError, match=r"'b'.* no transition"):
        kept.keep("b", rows(1, 0), torch.zeros(0, 1))
    assert kept.tasks == ("a",)
