"""The order in which an arm gets better within a trial: belief, nearest skill, residual."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daytwo.curricula.attempts import EXAM
from daytwo.curricula.examples import worked_examples
from daytwo.curricula.textbook import Chapter, ExamPaper, Exercise, Textbook
from daytwo.curricula.trials import Trials, run_trials
from daytwo.few_shot import FewShot, nearest
from daytwo.policies.config import LearnerConfig
from daytwo.policies.estimator import Estimator
from daytwo.policies.evidence import Evidence
from daytwo.policies.learner import Learner
from daytwo.policies.residual import OnTheSpot, Residual
from daytwo.sim.arms import load_arm
from daytwo.sim.context import Ranges
from daytwo.sim.observation import OBSERVATION, SCALE
from daytwo.sim.vec_env import BatchVecEnv
from daytwo.sim.world import World

RANGES = Ranges(mass=(0.5, 2.0), target_x=(-0.008, 0.008))
ARM = load_arm("panda")
TASKS = ("push", "detour")
BOOK = Textbook(
    name="tiny",
    context=RANGES,
    exam=(ExamPaper(task="push", seed=0),),
    chapters=(Chapter(name="all", exercises=(Exercise(task="push", worked_examples=2),)),),
)


@pytest.fixture(scope="module")
def learner() -> Learner:
    """One that was never trained, and fails."""
    env = BatchVecEnv(ARM, ("push",), 2, threads=1, ranges=RANGES)
    config = LearnerConfig(hidden=16, secret=env.world.secret)
    made = Learner(env, config=config, scale=env.world.scale, seed=0, device="cpu")
    made.teach(worked_examples(ARM, BOOK, 0, threads=1))
    return made


def world() -> World:
    return World(ARM, TASKS, 2, threads=1, ranges=RANGES)


def few_shot(learner: Learner, made: World) -> FewShot:
    torch.manual_seed(0)
    estimator = Estimator(SCALE, 5, RANGES.hidden, hidden=8)
    return FewShot(learner, estimator, made, ("push",), settings=OnTheSpot(updates=3))


def run(learner: Learner, attempts: int) -> tuple[FewShot, list[NDArray[Any]], NDArray[Any]]:
    """A trial of each task; what was said to each arm at each step, and what it did beside the
    learner.
    """
    made = world()
    few, said, added = few_shot(learner, made), [], []

    def watch(at: NDArray[np.int64], obs: Any, action: NDArray[Any], result: Any) -> None:
        few.note(at, obs, action, result)
        said.append(few._obs[:, OBSERVATION["descriptor"]].copy())
        added.append(action - learner.predict(few._obs, deterministic=True)[0])

    run_trials(made, Trials.drawn(RANGES, 2, 1, EXAM, 0), few, attempts, watch=watch)
    return few, said, np.array(added)


def test_the_nearest_skill_is_the_one_whose_words_are() -> None:
    tasks = ("place", "push", "stack", "unstack", "top", "detour")
    made = World(ARM, tasks, 1, threads=1, ranges=RANGES)
    found = nearest(made, tasks[:4])
    words = dict(zip(tasks, made.descriptors, strict=True))
    expected = [["place"], ["push"], ["stack"], ["unstack"], ["place", "stack"],
                ["push", "unstack"]]  # fmt: skip
    for skills, names in zip(found, expected, strict=True):
        assert np.array_equal(skills, [words[name] for name in names])


def test_who_fails_at_what_was_never_studied_takes_the_nearest_skill(learner: Learner) -> None:
    made = world()
    _, said, _ = run(learner, 2)
    horizon = made.horizons
    push, detour = made.descriptors
    own, other = np.array(said)[:, 0], np.array(said)[:, 1]
    assert (own == push).all()
    assert (other[: horizon[1]] == detour).all()
    assert (other[horizon[1] :] == push).all()


def test_who_fails_twice_learns_a_residual(learner: Learner) -> None:
    before = {name: part.clone() for name, part in learner.policy.state_dict().items()}
    few, _, added = run(learner, 3)
    steps = int(world().horizons[0])
    assert len(few.seconds) == 2
    assert not added[: 2 * steps, 0].any()
    assert added[2 * steps : 3 * steps, 0].any()
    after = learner.policy.state_dict()
    assert all(torch.equal(part, after[name]) for name, part in before.items())


def test_an_attempt_that_diverged_tells_nothing_that_is_no_number(learner: Learner) -> None:
    made = world()
    few, steps = few_shot(learner, made), 0

    def watch(at: NDArray[np.int64], *step: Any) -> None:
        nonlocal steps
        few.note(at, *step)
        steps += 1
        if steps == 3:
            made.engine._qpos[0] = made.engine._qvel[0] = np.nan  # type: ignore[attr-defined]

    run_trials(made, Trials.drawn(RANGES, 2, 1, EXAM, 0), few, 4, watch=watch)
    assert made.diverged == 1
    assert few.seconds, "residuals were learnt all the same"


def test_who_has_just_succeeded_learns_nothing(
    learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    won = FewShot._ended
    monkeypatch.setattr(FewShot, "_ended", lambda self, i, end, _: won(self, i, end, True))
    few, said, added = run(learner, 4)
    assert not few.seconds
    assert not added.any()
    assert (np.array(said)[:, 1] == world().descriptors[1]).all()


def test_a_residual_learns_from_what_was_told_alone(
    learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two trials that are told the same and hide different targets are one to it."""
    given: list[tuple[torch.Tensor, torch.Tensor]] = []
    monkeypatch.setattr(Residual, "learn", lambda _, *rows: given.append(rows) or 0)
    monkeypatch.setattr(Estimator, "forward", believes(0.2))
    for target in (-0.008, 0.008):
        made = world()
        few = few_shot(learner, made)
        told, wrong = made.engine.reset, target

        def reset(*args: Any, told: Any = told, wrong: float = wrong) -> Any:
            placed = told(*args)
            placed.p_goal = placed.p_goal - (wrong, 0.0, 0.0)  # it is told where it was
            return placed

        monkeypatch.setattr(made.engine, "reset", reset)
        trials = Trials.drawn(Ranges(mass=(1, 1), target_x=(target, target)), 1, 1, EXAM, 0)
        run_trials(made, trials, few, 3, watch=few.note)
    (one, stored), (other, _) = given
    assert torch.allclose(one, other, atol=1e-5)
    layout, steps = learner.layout, int(world().horizons[0])
    seen = layout.split(one)
    for truth in (seen[0][:, -2:], seen[4][:, -2:]):
        assert torch.allclose(truth[:, 0], torch.tensor(0.2), atol=1e-5)
    # It believed nothing at first, and then what it believes now.
    assert seen[0][0, -1] == pytest.approx(0.2, abs=1e-5)
    assert seen[0][steps + 10, -1] == pytest.approx(0.0, abs=1e-5)
    words = torch.from_numpy(world().descriptors[0]).float()
    assert len(stored) > 0
    assert (stored[:, OBSERVATION["descriptor"]] == words).all()


def believes(mean: float) -> Any:
    """Whatever is felt."""

    def forward(self: Estimator, x: torch.Tensor, state: torch.Tensor | None = None) -> Any:
        said = torch.full((len(x), x.shape[1], len(self.names)), mean)
        told = Evidence.measured(said, torch.full_like(said, 1e6))
        return told, torch.zeros(1, len(x), self.hidden)

    return forward


def test_a_trial_begins_without_the_residual_of_the_one_before(learner: Learner) -> None:
    made = world()
    few = few_shot(learner, made)
    trials = Trials.drawn(RANGES, 2, 1, EXAM, 0)
    run_trials(made, trials, few, 3, watch=few.note)
    few.begin(made, np.arange(2), np.zeros(2, dtype=np.int64))
    obs = made.observe()
    assert np.allclose(few.predict(obs)[0], learner.predict(obs, deterministic=True)[0])


def test_critics_are_told_what_is_believed_for_the_truth() -> None:
    made = world()
    assert made.believed is not None
    obs = made.observe()
    before, then = obs.copy(), np.array([[0.3, -0.2], [0.1, 0.4]])
    made.believed.taken_for_true(obs, then, np.array([0.5, 0.1]))
    assert (obs[:, :-2] == before[:, :-2]).all()
    assert np.allclose(obs[:, -2:], [[0.5, 0.3], [0.5, -0.3]])
