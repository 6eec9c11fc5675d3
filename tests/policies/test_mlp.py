"""Gradients written by hand against autograd's."""

from __future__ import annotations

import pytest
import torch
from inward import gaussian

from daytwo.policies.mlp import MLP, Tape
from daytwo.policies.networks import Actor, Critics

B, OBS, ACTION = 7, 5, 3


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def rand(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def close(a: torch.Tensor, b: torch.Tensor | None) -> None:
    assert b is not None
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def plain(net: MLP, x: torch.Tensor) -> torch.Tensor:
    """The same perceptrons from PyTorch's modules."""
    outs = []
    for i in range(net.n):
        h = x
        for j, (weight, bias) in enumerate(net.layers()):
            h = h @ weight[i] + bias[i]
            if j < len(net.layers()) - 1:
                if net.norm:
                    h = torch.nn.functional.layer_norm(h, h.shape[-1:], eps=net.norm)
                h = torch.relu(h)
        outs.append(h)
    return torch.stack(outs)


@pytest.mark.parametrize("norm", [0.0, 0.1])
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("sizes", [(6, 8, 9, 2), (4, 16, 1), (4, 1), (4, 8, 8, 8, 3)])
def test_outputs_and_gradients_are_autograds(sizes: tuple[int, ...], n: int, norm: float) -> None:
    net, x = MLP(sizes, n, norm).double(), rand(B, sizes[0]).requires_grad_()
    tape, by_out = Tape(), rand(n, B, sizes[-1])
    out = plain(net, x)
    out.backward(by_out)  # type: ignore[no-untyped-call]
    weights, inputs = net.flat.grad, x.grad
    net.flat.grad = None
    with torch.no_grad():
        close(net(x, tape), out)
    net.weight_gradient(tape, by_out)
    assert net.flat.grad is not None
    close(net.flat.grad, weights)
    assert inputs is not None
    close(net.input_gradient(tape, by_out), inputs)
    close(net.input_gradient(tape, by_out, start=2), inputs[:, 2:])


def test_autograd_works_too() -> None:
    net, x = MLP((4, 8, 8, 2), 2, True).double(), rand(B, 4)
    by_out = rand(2, B, 2)
    expected = torch.autograd.grad(plain(net, x), net.flat, by_out)[0]
    close(torch.autograd.grad(net(x), net.flat, by_out)[0], expected)


def test_actors_gradient_is_autograds() -> None:
    actor = Actor(OBS, ACTION, 16, noise=0.3).double()
    with torch.no_grad():  # standard deviations that differ, some of them at their limits
        actor.layers()[-1][0].mul_(3).add_(3 * rand(1, 16, 2 * ACTION))
    obs, noise = 3 * rand(64, OBS), rand(64, ACTION)
    by_action, by_log_prob, by_mean = rand(64, ACTION), rand(64), rand(64, ACTION)

    mean, log_std = gaussian(actor, obs)
    density = torch.distributions.Normal(mean, log_std.exp())
    u = mean + noise * log_std.exp()
    action, mean_action = torch.tanh(u), torch.tanh(mean)
    slope = 2 * (torch.log(torch.tensor(2.0)) - u - torch.nn.functional.softplus(-2 * u))
    log_prob = (density.log_prob(u) - slope).sum(-1)
    # The density is a function of the draw too, so its gradient counts through both.
    loss = (action * by_action).sum() + (log_prob * by_log_prob).sum()
    expected = torch.autograd.grad(loss + (mean * by_mean).sum(), actor.flat)[0]

    with torch.no_grad():
        sample = actor.sample(obs, noise)
    assert set(sample.beyond.unique().tolist()) == {-1.0, 0.0, 1.0}
    close(actor.gaussian(obs)[1], log_std)
    torch.testing.assert_close(sample.log_prob, log_prob, rtol=1e-6, atol=1e-6)
    close(sample.action, action)
    close(sample.mean_action, mean_action)
    actor.gradient(sample, by_action, by_log_prob, by_mean)
    assert actor.flat.grad is not None
    torch.testing.assert_close(actor.flat.grad, expected, rtol=1e-6, atol=1e-7)


def test_noise_never_exceeds_what_it_starts_with_and_can_shrink() -> None:
    actor, obs = Actor(OBS, ACTION, 16, noise=0.1), torch.randn(64, OBS)
    optimizer = torch.optim.Adam(actor.parameters(), lr=1e-3)
    for by_log_prob, shrunk in ((1e-6, False), (-1e-6, True)):  # more noise asked for, then less
        for _ in range(200):
            sample = actor.sample(obs, torch.zeros(64, ACTION))
            nothing = torch.zeros(64, ACTION)
            actor.gradient(sample, nothing, torch.full((64,), by_log_prob), nothing)
            optimizer.step()
        std = actor.gaussian(obs)[1].exp()
        assert (std <= 0.1 * (1 + 1e-6)).all()
        assert bool((std < 0.09).any()) == shrunk


def test_critics_differ_and_share_their_input() -> None:
    critics = Critics(OBS, ACTION, 16).double()
    obs, action = rand(B, OBS), rand(B, ACTION)
    values = critics.values(obs, action)
    assert values.shape == (2, B)
    assert (values[0] != values[1]).all()
    close(values, plain(critics, torch.cat([obs, action], 1)).squeeze(-1))


def test_loading_a_state_changes_the_weights_in_use() -> None:
    one, other = MLP((4, 8, 2)), MLP((4, 8, 2))
    x = torch.randn(3, 4)
    assert not torch.equal(one(x), other(x))
    one.load_state_dict(other.state_dict())
    assert torch.equal(one(x), other(x))
