"""Episodes: whatever goes in comes out of a folder again, and nothing bad comes in."""

from __future__ import annotations

import contextlib
import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.memory.episodes import Episode, check_layout, load_episodes, save_episodes

GOOD: dict[str, Any] = {
    "observations": np.arange(12, dtype=np.float32).reshape(4, 3),
    "actions": np.zeros((3, 2), np.float32),
    "rewards": np.ones(3, np.float32),
    "terminated": True,
    "success": True,
    "task": "reach",
}
# A trailing NUL does not survive numpy's own string arrays; no task is called that.
TASK_NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


def floats(*shape: int) -> st.SearchStrategy[NDArray[np.float32]]:
    numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
    return hnp.arrays(np.float32, shape, elements=numbers)


@st.composite
def episodes(draw: st.DrawFn) -> Episode:
    steps, obs, action = (draw(st.integers(1, top)) for top in (5, 4, 3))
    return Episode(
        draw(floats(steps + 1, obs)),
        draw(floats(steps, action)),
        draw(floats(steps)),
        terminated=draw(st.booleans()),
        success=draw(st.booleans()),
        task=draw(TASK_NAMES),
    )


def same(a: Episode, b: Episode) -> bool:
    arrays = ("observations", "actions", "rewards")
    return all(np.array_equal(getattr(a, k), getattr(b, k)) for k in arrays) and (
        (a.terminated, a.success, a.task) == (b.terminated, b.success, b.task)
    )


@given(st.lists(episodes(), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None)
def test_a_folder_gives_back_what_it_was_given(given_episodes: list[Episode]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save_episodes(given_episodes, Path(folder) / "demos")
        back = load_episodes(Path(folder) / "demos")
        assert len(back) == len(given_episodes)
        assert all(same(a, b) for a, b in zip(given_episodes, back, strict=True))
        assert all(e.observations.dtype == np.float32 for e in back)


def test_order_survives_more_than_ten_episodes(tmp_path: Path) -> None:
    many = [Episode(**(GOOD | {"task": str(i)})) for i in range(12)]
    save_episodes(many, tmp_path)
    assert [e.task for e in load_episodes(str(tmp_path))] == [str(i) for i in range(12)]


def test_episodes_of_before_are_neither_mixed_in_nor_lost(tmp_path: Path) -> None:
    save_episodes([Episode(**GOOD)] * 5, tmp_path)
    with pytest.raises(InputError, match="already holds episodes"):
        save_episodes([Episode(**GOOD)] * 2, tmp_path)
    assert len(load_episodes(tmp_path)) == 5


@given(st.sampled_from(["observations", "actions", "rewards"]), st.data())
@settings(max_examples=20, deadline=None)
def test_a_number_that_is_not_finite_is_named(field: str, data: st.DataObject) -> None:
    array = np.array(GOOD[field])
    where = tuple(data.draw(st.integers(0, n - 1)) for n in array.shape)
    array[where] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    with pytest.raises(InputError, match="finite") as error:
        Episode(**(GOOD | {field: array}))
    assert f"{field}{list(where)}" in str(error.value)


ANY_ARRAY = hnp.arrays(
    st.one_of(
        hnp.scalar_dtypes(), hnp.unicode_string_dtypes(max_len=3), hnp.byte_string_dtypes(max_len=3)
    ),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
ANYTHING = st.one_of(
    ANY_ARRAY, st.none(), st.text(max_size=3), st.lists(st.integers() | st.text(max_size=2)),
    st.just([[1.0], [1.0, 2.0]]), st.just({"a": 1}), st.just([10**400]), st.just(object()),
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflow into float32, refused after it
@given(st.sampled_from(["observations", "actions", "rewards"]), ANYTHING)
@settings(max_examples=75, deadline=None)
def test_any_array_makes_a_sound_episode_or_one_clear_error(field: str, value: Any) -> None:
    with contextlib.suppress(InputError):
        sound(Episode(**(GOOD | {field: value})))


def sound(episode: Episode) -> None:
    steps = len(episode)
    assert steps > 0
    assert episode.rewards.shape == (steps,)
    assert len(episode.observations) == steps + 1
    for array in (episode.observations, episode.actions, episode.rewards):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actions": np.zeros((0, 2))}, "at least one step"),
        ({"rewards": np.zeros(2)}, "3 actions need 3 rewards and 4 observations"),
        ({"observations": np.zeros((3, 3))}, "found 3 and 3"),
        ({"actions": np.zeros(3)}, "actions has 1 dimensions, expected 2"),
        ({"rewards": ["a", "b", "c"]}, "rewards is not an array of numbers"),
        ({"rewards": np.ones(3) * 1j}, "rewards is not an array of numbers"),
    ],
)
def test_messages_name_field_and_remedy(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Episode(**(GOOD | change))


def npz(arrays: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_file_is_an_episode_or_one_clear_error(data: st.DataObject) -> None:
    """Bytes overwritten, cut out or put in anywhere."""
    content = bytearray(npz(GOOD))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["overwrite", "cut", "insert", "truncate"]))
        if kind == "overwrite":
            content[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del content[at : at + data.draw(st.integers(1, 50))]
        elif kind == "insert":
            content[at:at] = data.draw(st.binary(min_size=1, max_size=20))
        else:
            del content[at:]
        if not content:
            break
    read(bytes(content))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(st.dictionaries(st.sampled_from(sorted(GOOD)), ANY_ARRAY, min_size=1, max_size=3))
@settings(max_examples=30, deadline=None)
def test_a_file_of_other_arrays_is_an_episode_or_one_clear_error(change: dict[str, Any]) -> None:
    read(npz(GOOD | change))


@given(st.sampled_from(sorted(GOOD)))
@settings(max_examples=len(GOOD), deadline=None)
def test_only_the_task_may_be_missing(field: str) -> None:
    episode = read(npz({k: v for k, v in GOOD.items() if k != field}))
    assert (episode is not None) == (field == "task")


def read(content: bytes) -> Episode | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "000000.npz"
        path.write_bytes(content)
        try:
            (episode,) = load_episodes(folder)
        except InputError as error:
            message = str(error)
        else:
            sound(episode)
            return episode
    assert str(path) in message
    return None


def encrypted() -> bytes:
    content = bytearray(npz(GOOD))
    content[6] |= 1  # local header's flag
    content[content.rindex(b"PK\1\2") + 8] |= 1
    return bytes(content)


def compressed_and_broken() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **GOOD)
    content = bytearray(file.getvalue())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.infolist()[0].header_offset
    content[start + 60 : start + 80] = b"\xff" * 20
    return bytes(content)


def array_instead() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"not a zip", npz({}), npz({"rewards": np.array([object()])}), array_instead(),
     encrypted(), compressed_and_broken()],
    ids=["empty", "text", "no arrays", "pickle", "npy", "encrypted", "bad deflate"],
)  # fmt: skip
def test_other_files_are_refused(content: bytes) -> None:
    assert read(content) is None


def test_folders_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*nowhere"):
        load_episodes(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no \.npz episode"):
        load_episodes(tmp_path)
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(InputError, match=r"a\.npz"):
        load_episodes(tmp_path)


@pytest.mark.parametrize("source", [[GOOD], Episode(**GOOD), [1.0], 3])
def test_what_is_no_list_of_episodes_is_refused(source: Any) -> None:
    with pytest.raises(InputError, match="Episode"):
        load_episodes(source)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="file"):
        save_episodes([Episode(**GOOD)], tmp_path / "file")


@pytest.mark.parametrize(
    ("dims", "message"),
    [((4, 2), "observations have 3 elements.*4"), ((3, 5), "actions have 2 elements.*5")],
)
def test_another_layout_is_refused(dims: tuple[int, int], message: str) -> None:
    good = Episode(**GOOD)
    check_layout([good], 3, 2)
    with pytest.raises(InputError, match=message):
        check_layout([good], *dims)
