"""A selection is gone through as often as wanted, and does not change under way."""

from pathlib import Path

import pytest
from made_up import ABOUT, assert_same, attempt

from daytwo.errors import InputError
from daytwo.memory.selection import Selection
from daytwo.memory.store import Store


def test_attempts_are_those_chosen_each_time(tmp_path: Path) -> None:
    records = [attempt(i, success=i % 2 == 0) for i in range(5)]
    with Store.create(tmp_path / "memory", ABOUT) as store:
        for record in records:
            store.append(record)
        chosen = Selection(store, success=True)
        store.append(attempt(8))
        assert len(chosen) == 3
        for _ in range(2):
            for found, put in zip(chosen, records[::2], strict=True):
                assert_same(found, put)


def test_none_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with Store.create(tmp_path / "memory", ABOUT) as store:
        with pytest.raises(InputError, match=r"no attempt with any; it has days \(none\); tasks"):
            Selection(store)
        store.append(attempt(1, day=2))
        with pytest.raises(InputError, match="no attempt with task pick; it has days 2; tasks rea"):
            Selection(store, task="pick")
