import json

from daytwo.machine import commit, describe, peak_memory_gb


def test_describe_is_plain_json_and_filled() -> None:
    seen = json.loads(json.dumps(describe()))
    assert seen["versions"]["numpy"]
    assert seen["machine"]["cores"] >= 1
    assert seen["machine"]["memory_gb"] > 0.1
    assert 0.001 < peak_memory_gb() < 1000


def test_commit_is_short_and_marked_when_files_differ() -> None:
    found = commit()
    assert found is None or len(found.rstrip("+")) == 12
