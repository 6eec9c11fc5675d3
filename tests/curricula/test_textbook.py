import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from daytwo.curricula.textbook import Textbook, load_textbook, textbook_names
from daytwo.errors import InputError
from daytwo.sim.tasks import task_names

GOOD: dict[str, Any] = {
    "name": "two",
    "chapters": [
        {"name": "a", "unlock": 0.5, "exercises": [{"task": "reach", "difficulty": [0.0, 0.5]}]},
        {"name": "b", "exercises": [{"task": "reach"}, {"task": "push", "share": 2.0}]},
    ],
    "exam": [{"task": "reach", "attempts": 10, "seed": 1}],
}


def load(tmp_path: Path, content: Any) -> Textbook:
    path = tmp_path / "book.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return load_textbook(path)


def changed(*where: Any, to: Any) -> dict[str, Any]:
    """Return GOOD with one value put somewhere, e.g. changed("exam", 0, "seed", to=-1)."""
    content = copy.deepcopy(GOOD)
    place: Any = content
    for part in where[:-1]:
        place = place[part]
    place[where[-1]] = to
    return content


@pytest.mark.parametrize("name", textbook_names())
def test_every_shipped_textbook_loads(name: str) -> None:
    book = load_textbook(name)
    assert book.name == name
    assert {paper.task for paper in book.exam} == set(book.tasks)
    assert all(paper.attempts >= 200 for paper in book.exam)


def test_tasks_in_order_of_first_appearance(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).tasks == ("reach", "push")


def test_a_chapter_needs_the_one_before_unless_it_says_so(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).needs == {"a": (), "b": ("a",)}
    turned = changed("chapters", 0, "needs", to=["b"])
    turned["chapters"][1]["needs"] = []
    assert load(tmp_path, turned).needs == {"a": ("b",), "b": ()}


def test_what_is_held_out_is_examined_and_not_practised(tmp_path: Path) -> None:
    book = load(tmp_path, changed("held_out", to=[{"task": "pick", "attempts": 5}]))
    assert [paper.task for paper in book.papers] == ["reach", "pick"]
    assert "pick" not in book.tasks


def test_the_range_of_a_task_is_over_all_its_exercises(tmp_path: Path) -> None:
    book = load(tmp_path, changed("chapters", 1, "exercises", 0, "difficulty", to=[0.4, 0.7]))
    assert book.ranges == {"reach": (0.0, 0.7), "push": (0.0, 1.0)}


EXERCISE = ("chapters", 0, "exercises", 0)


@pytest.mark.parametrize(
    ("content", "field", "said"),
    [
        (changed(*EXERCISE, "task", to="juggle"), "chapters[0].exercises[0].task", "reach, push"),
        (changed(*EXERCISE, "difficulty", to=[0, 1.5]), "exercises[0].difficulty[1]", "1"),
        (changed(*EXERCISE, "difficulty", to=[-0.1, 1]), "exercises[0].difficulty[0]", "0"),
        (changed(*EXERCISE, "difficulty", to=[0.9, 0.1]), "exercises[0].difficulty", "lower"),
        (changed(*EXERCISE, "difficulty", to=[0, float("nan")]), "difficulty[1]", "nan"),
        (changed(*EXERCISE, "share", to=0), "exercises[0].share", "greater than 0"),
        (changed(*EXERCISE, "worked_examples", to=-1), "worked_examples", "-1"),
        (changed(*EXERCISE, "tsak", to="reach"), "exercises[0].tsak", "share, worked_examples"),
        (changed("chapters", to=[]), "chapters", "at least 1"),
        (changed("chapters", 0, "exercises", to=[]), "chapters[0].exercises", "at least 1"),
        (changed("chapters", 0, "unlock", to=0), "chapters[0].unlock", "greater than 0"),
        (changed("chapters", 0, "unlock", to=1.01), "chapters[0].unlock", "1.01"),
        (changed("chapters", 1, "name", to="a"), "textbook", "names must differ"),
        (changed("exam", 0, "attempts", to=0), "exam[0].attempts", "0"),
        (changed("exam", 0, "seed", to=2**31), "exam[0].seed", "less than"),
        (changed("exam", to=[{"task": "reach"}, {"task": "reach"}]), "textbook", "one exam paper"),
        (changed("exams", to=[]), "exams", "unknown key; accepted are name, arm"),
        (changed("probe", to={"every_s": 3}), "probe.every_s", "attempts, every"),
        (changed("budget", to={"minutes": 0}), "budget.minutes", "greater than 0"),
        (changed("teacher", to={"kind": "strict"}), "teacher.kind", "learnability"),
        (changed("teacher", to={"bin": 3}), "teacher.bin", "kind, bins"),
        (changed("teacher", to={"fast": 0.1, "slow": 0.5}), "teacher", "fast must exceed slow"),
        (changed("chapters", 1, "needs", to=["z"]), "textbook", "'z', which is no chapter"),
        (changed("chapters", 1, "needs", to=["b"]), "textbook", "in a circle: b needs b"),
        (changed("chapters", 0, "needs", to=["b"]), "textbook", "in a circle: a needs b needs a"),
        (changed("held_out", to=[{"task": "push"}]), "textbook", "'push' is held out"),
        (changed("held_out", to=[{"task": "pick", "tsak": 1}]), "held_out[0].tsak", "attempts"),
        (changed("held_out", to=[{"task": "reach"}]), "textbook", "'reach' is held out"),
        (
            changed("context", to={"frictions": [0.7, 1.3]}),
            "context.frictions",
            "accepted are stiffness",
        ),
        (changed("context", to={"friction": [1.3, 0.7]}), "context.friction", "must not exceed"),
        (changed("context", to={"friction": [0.5, 99]}), "context", "leaves its physical range"),
        (changed("context", to={"delay": [1, 1]}), "textbook", "context hides nothing"),
        (changed("exam_context", to={"mass": [0.5, 2]}), "textbook", "without a context"),
        ({"name": "x"}, "chapters", "missing"),
        ("just words", "book.yaml", "expected keys and values"),
        ("a: [1", "book.yaml", "not readable as YAML"),
        ("", "book.yaml", "expected keys and values"),
    ],
)
def test_bad_content_is_named_in_one_line(
    tmp_path: Path, content: Any, field: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, content)
    message = str(caught.value)
    assert "book.yaml" in message
    assert field in message
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("examined", "said"),
    [
        ({"mass": [0.8, 1.2]}, "mass from 0.8 to 1.2"),
        ({"mass": [0.4, 2.0]}, ""),
        ({"mass": [0.4, 2.0], "delay": [0, 2]}, "delay from 0 to 2"),
        ({}, "mass from 1 to 1"),
    ],
)
def test_trials_are_examined_in_a_wider_range_of_what_was_studied(
    tmp_path: Path, examined: dict[str, Any], said: str
) -> None:
    content = GOOD | {"context": {"mass": [0.5, 2.0]}, "exam_context": examined}
    if said:
        with pytest.raises(InputError, match=f"exam_context: {said}"):
            load(tmp_path, content)
    else:
        assert load(tmp_path, content).exam_context is not None


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(InputError, match="first_steps"):
        load_textbook("last_steps")
    with pytest.raises(InputError, match="no such file"):
        load_textbook("nowhere/book.yaml")


UNIT = st.floats(0, 1)
EXERCISES = st.fixed_dictionaries(
    {
        "task": st.sampled_from(task_names()),
        "difficulty": st.tuples(UNIT, UNIT).map(sorted),
        "share": st.floats(0.01, 100),
        "worked_examples": st.integers(0, 500),
    }
)


@given(
    st.lists(st.lists(EXERCISES, min_size=1, max_size=3), min_size=1, max_size=4),
    st.floats(0, 1, exclude_min=True),
)
def test_any_valid_textbook_survives_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, chapters: list[Any], unlock: float
) -> None:
    content = GOOD | {
        "chapters": [
            {"name": str(i), "unlock": unlock, "exercises": exercises}
            for i, exercises in enumerate(chapters)
        ]
    }
    folder = tmp_path_factory.mktemp("books")
    book = load(folder, content)
    assert len(book.chapters) == len(chapters)
    assert load(folder, book.model_dump(mode="json")) == book


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(GOOD)), inner)
        ),
        max_leaves=8,
    )
)
def test_rubbish_is_refused_with_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, content: Any
) -> None:
    with pytest.raises(InputError):
        load(tmp_path_factory.mktemp("books"), content)
