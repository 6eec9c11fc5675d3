import numpy as np
import pytest

from daytwo.curricula.attempts import EXAMPLES, SEED_SPACE, expert
from daytwo.curricula.examples import LEAD, count, worked_examples
from daytwo.curricula.textbook import Textbook
from daytwo.errors import InputError
from daytwo.memory.episodes import Episode
from daytwo.sim.arms import load_arm
from daytwo.sim.observation import OBS_DIM, OBSERVATION
from daytwo.sim.world import World

PANDA = load_arm("panda")
BOOK = Textbook.model_validate(
    {
        "name": "x",
        "chapters": [
            {
                "name": "a",
                "exercises": [
                    {"task": "reach", "worked_examples": 5, "difficulty": [0.0, 0.2]},
                    {"task": "pick", "worked_examples": 3},
                ],
            },
            {"name": "b", "exercises": [{"task": "reach", "worked_examples": 2}, {"task": "push"}]},
        ],
        "exam": [{"task": "reach"}],
    }
)


def test_exactly_what_is_asked_for_all_successful_and_whole() -> None:
    episodes = worked_examples(PANDA, BOOK, seed=1)
    assert [e.task for e in episodes] == ["reach"] * 5 + ["pick"] * 3 + ["reach"] * 2
    assert count(episodes) == {"reach": 7, "pick": 3}
    for episode in episodes:
        steps = len(episode.actions)
        assert episode.success
        assert episode.terminated
        assert episode.observations.shape == (steps + 1, OBS_DIM)
        assert episode.actions.shape == (steps, 5)
        assert episode.rewards.shape == (steps,)
        assert np.isfinite(episode.observations).all()
        assert np.abs(episode.actions).max() <= 1
        assert episode.rewards[-1] == episode.rewards.max()  # success comes last


def test_an_example_replays_to_the_same_observations() -> None:
    """Each recorded action led from its observation to the next, in the order recorded."""
    seen: list[tuple[int, float, int]] = []
    reset = World.reset

    def listen(self: World, ids, task, difficulty, seed) -> None:  # type: ignore[no-untyped-def]
        columns = (np.atleast_1d(x).tolist() for x in (task, difficulty, seed))
        seen.extend(zip(*columns, strict=True))
        reset(self, ids, task, difficulty, seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "reset", listen)
        first = worked_examples(PANDA, BOOK, seed=4)[0]
    asked = [exercise for exercise in seen if exercise[2] >= EXAMPLES]
    assert all(EXAMPLES <= seed < EXAMPLES + SEED_SPACE for _, _, seed in asked)
    world = World(PANDA, BOOK.tasks, 1)
    for task, difficulty, seed in asked:
        world.reset(0, task, difficulty, seed)
        if np.array_equal(world.observe()[0], first.observations[0]):
            break
    else:
        pytest.fail("the example starts at none of the exercises")
    for action, after in zip(first.actions, first.observations[1:], strict=True):
        np.testing.assert_allclose(world.step(action[None]).obs[0], after, atol=1e-5)


def test_same_seed_same_examples_another_seed_others() -> None:
    a, b, c = (worked_examples(PANDA, BOOK, seed) for seed in (1, 1, 2))
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one.observations, other.observations)
        np.testing.assert_array_equal(one.actions, other.actions)
    assert not np.array_equal(a[0].observations[0], c[0].observations[0])


def test_none_are_made_when_none_are_asked_for() -> None:
    book = BOOK.model_copy(update={"chapters": BOOK.chapters[1:]})
    exercises = tuple(
        e.model_copy(update={"worked_examples": 0}) for e in book.chapters[0].exercises
    )
    chapter = book.chapters[0].model_copy(update={"exercises": exercises})
    assert worked_examples(PANDA, book.model_copy(update={"chapters": (chapter,)}), seed=0) == []


def test_an_expert_that_cannot_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "expert_action", lambda self: np.zeros((self.n, 5)))
    with pytest.raises(InputError, match=r"'reach' on arm 'panda'.* in 0 of 11 attempts"):
        worked_examples(PANDA, BOOK, seed=0)


def _away(world: World, observation: np.ndarray) -> np.ndarray:
    """A learner that goes straight up."""
    return np.tile([0.0, 0.0, 1.0, 0.0, 1.0], (len(observation), 1))


def test_an_expert_goes_on_from_where_a_learner_has_got_to() -> None:
    alone = worked_examples(PANDA, BOOK, seed=1, lesson=1)
    led = worked_examples(PANDA, BOOK, seed=1, lesson=1, learner=_away)
    height, left = OBSERVATION["height"], OBSERVATION["time_left"]
    assert count(led) == count(alone)

    def starts(episodes: list[Episode], at: slice) -> np.ndarray:
        return np.array([episode.observations[0, at].item() for episode in episodes])

    np.testing.assert_allclose(starts(alone, left), 1.0)
    assert (starts(led, left) < 1.0).mean() > 0.7, "the learner had some of the time"
    assert starts(led, left).min() >= 1 - LEAD - 0.05
    assert starts(led, height).mean() > starts(alone, height).mean() + 0.05
    for episode in led:
        assert episode.success
        assert episode.terminated
        assert not (episode.actions == _away(None, episode.actions)).all(axis=1).any()  # type: ignore[arg-type]


def test_a_learner_that_needs_nobody_is_shown_less() -> None:
    led = worked_examples(PANDA, BOOK, seed=1, lesson=1, learner=expert)
    assert len(led) < 10, "where it succeeds before, there is nothing to show"
    assert all(episode.success for episode in led)


def test_each_lesson_shows_others() -> None:
    one, other = (worked_examples(PANDA, BOOK, seed=1, lesson=k) for k in (0, 1))
    assert not any(np.array_equal(a.observations[0], b.observations[0])
                   for a in one for b in other if a.task == b.task)  # fmt: skip


def test_the_blind_are_shown_by_experts_that_believe_nothing() -> None:
    told = Textbook.model_validate(
        {**BOOK.model_dump(), "context": {"camera_x": [-0.005, 0.005], "mass": [0.5, 2.0]}}
    )
    hidden = World(PANDA, told.tasks, 1, threads=1, ranges=told.context)
    assert hidden.believed is not None
    spread = slice(OBS_DIM + 1, OBS_DIM + 3)  # behind the mean that is told of the mass
    for blind in (True, False):
        shown = worked_examples(PANDA, told, seed=1, blind=blind)
        beliefs = np.concatenate([episode.observations[:, spread] for episode in shown])
        assert (len(np.unique(beliefs)) == 1) == blind
