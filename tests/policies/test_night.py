"""A night: what is laid out to learn from, and how it is learnt."""

from __future__ import annotations

import copy
import functools
from dataclasses import replace
from typing import Any

import pytest
import torch
from point_env import PointEnv, attempt, show

from daytwo.memory.episodes import Episode
from daytwo.memory.replay import episode_rows
from daytwo.policies.config import LearnerConfig
from daytwo.policies.learner import Learner
from daytwo.policies.night import prepare, rehearse
from daytwo.policies.resume import restore, snapshot

TINY = LearnerConfig(
    hidden=16, batch_size=32, practice_size=2000, success_size=500, start_after=50, warm_updates=20
)


@functools.cache
def at_the_end_of_a_day(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    return snapshot(Learner(PointEnv(), show(3), TINY, seed=seed, device="cpu").learn(120))


def tired(seed: int = 0) -> Learner:
    """A learner at the end of a day, the same one each time."""
    return restore(Learner, *copy.deepcopy(at_the_end_of_a_day(seed)), device="cpu")


def failed(episode: Episode) -> Episode:
    return replace(episode, success=False, terminated=False)


def rows_of(learner: Learner, episodes: list[Episode]) -> torch.Tensor:
    layout, discount = learner.layout, learner.config.discount
    return torch.cat([episode_rows(episode, layout, discount) for episode in episodes])


def test_today_is_practice_and_its_successes_are_what_worked() -> None:
    learner, today = tired(), show(4, seed=1)
    today[1] = failed(today[1])
    prepare(learner, today, {})
    practised = learner.practice.data[: learner.practice.filled, 0]
    assert torch.equal(practised, rows_of(learner, today))
    worked = learner.successes.own[: learner.successes.filled]
    assert torch.equal(worked, rows_of(learner, [today[0], *today[2:]]))
    assert len(learner.successes.examples) == 0, "yesterday's examples are put away"
    assert len(learner.past) == 0


def test_of_the_past_stays_what_worked_and_else_what_the_policy_does_there_now() -> None:
    learner = tired()
    past = {"reach": show(2, seed=2), "push": [failed(e) for e in show(3, seed=3)]}
    prepare(learner, show(1), past)
    assert set(learner.past.tasks) == {"reach", "push"}
    state = learner.past.state_dict()
    for task, episodes in past.items():
        kept, actions = state[task].split([learner.layout.width, learner.layout.action], dim=1)
        expected = rows_of(learner, episodes)
        order, wanted = kept[:, 0].argsort(), expected[:, 0].argsort()
        assert torch.equal(kept[order], expected[wanted])
        obs, done = learner.layout.split(kept)[:2]
        assert torch.allclose(actions, done if task == "reach" else learner.act(obs), atol=1e-6)


def test_of_a_long_past_some_is_drawn_at_random_and_nothing_twice() -> None:
    def kept(seed: int) -> torch.Tensor:
        learner = tired(seed=seed)
        prepare(learner, show(1), {"reach": show(20, seed=2)}, per_task=40)
        return learner.past.state_dict()["reach"][:, : learner.layout.width]

    one, again, other = kept(0), kept(0), kept(1)
    assert one.shape[0] == 40
    assert len(one.unique(dim=0)) == 40
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    first = rows_of(tired(), show(20, seed=2))[:40]
    assert not torch.equal(one[one[:, 0].argsort()], first[first[:, 0].argsort()])


@pytest.mark.parametrize("wins", [True, False])
def test_a_night_makes_the_updates_asked_for(wins: bool) -> None:
    learner, today = tired(), show(2)
    prepare(learner, today if wins else [failed(e) for e in today], {"reach": show(2)})
    before, flat = learner.n_updates, learner.policy.actor.flat.clone()
    assert rehearse(learner, 7) == 7
    assert learner.n_updates == before + 7
    assert not torch.equal(flat, learner.policy.actor.flat)
    assert torch.isfinite(learner.policy.actor.flat).all()


def test_what_acts_after_a_night_is_what_was_learnt_in_it() -> None:
    learner, today = tired(), show(2)
    learner.averaged = 50_000  # after a long study, of which the average is slow to forget
    prepare(learner, today, {"reach": show(2)})
    before = learner.policy.steady.flat.clone()
    rehearse(learner, 20)
    now, steady = learner.policy.actor.flat, learner.policy.steady.flat
    assert (steady - now).norm() < (steady - before).norm()


def test_a_night_ended_early_says_how_far_it_came_and_goes_on_the_same() -> None:
    asked: list[int] = []

    def until_three(done: int) -> bool:
        asked.append(done)
        return done < 3

    straight, broken = tired(), tired()
    for learner in (straight, broken):
        prepare(learner, show(2), {"reach": show(2)})
    rehearse(straight, 8)
    assert rehearse(broken, 8, until_three) == 3
    assert asked == [0, 1, 2, 3]
    assert rehearse(broken, 5) == 5
    assert torch.equal(straight.policy.actor.flat, broken.policy.actor.flat)
    assert torch.equal(straight.policy.critic.flat, broken.policy.critic.flat)


def test_a_night_begins_by_cloning_examples_that_came_in_and_may_be_broken_there() -> None:
    straight, broken = tired(), tired()
    for learner in (straight, broken):
        critic = learner.policy.critic.flat.clone()
        prepare(learner, [], {"reach": show(2)}, examples=show(4, seed=5), cloning=6)
        assert rehearse(learner, 4) == 4
        assert torch.equal(learner.policy.critic.flat, critic), "only cloned so far"
        assert learner.uncloned == 2
    rehearse(straight, 6)
    for _ in range(6):
        rehearse(broken, 1)
    assert not torch.equal(straight.policy.critic.flat, critic)
    assert torch.equal(straight.policy.actor.flat, broken.policy.actor.flat)


def test_a_night_gets_better_at_what_worked_today() -> None:
    config = replace(TINY, hidden=32, batch_size=64, actor_rate=3e-3, discount=0.9)
    learner = Learner(PointEnv(), None, config, seed=0, device="cpu")
    before, _ = attempt(learner, 40)
    prepare(learner, show(30), {})
    rehearse(learner, 300)
    after, _ = attempt(learner, 40)
    assert before < 0.5
    assert after > 0.8
