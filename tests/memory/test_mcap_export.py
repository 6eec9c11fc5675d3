"""A bag is read back by two readers, neither of them ours."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import mcap.reader
import numpy as np
import pytest
import yaml
from made_up import ABOUT, attempt
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from daytwo.errors import InputError
from daytwo.memory import lerobot
from daytwo.memory.mcap_export import STEP, export_mcap, topic_of
from daytwo.memory.record import Record
from daytwo.sim.scene import CONTROL_HZ

JOINTS = ("shoulder", "elbow")


def with_arm(seed: int, steps: int = 4, **more: Any) -> Record:
    """An attempt of an arm of two joints."""
    rng = np.random.default_rng(seed)
    tracks = {
        "q": rng.normal(size=(steps + 1, 2)),
        "p object": rng.normal(size=(steps + 1, 2, 3)),
        "7 ages": rng.normal(size=steps),
    }
    return attempt(seed, steps, tracks=tracks, sent=rng.uniform(size=(steps, 3)), **more)


def read(bag: Path) -> dict[str, list[tuple[int, Any]]]:
    """Time [ns] and message by topic, as rosbags reads them."""
    found: dict[str, list[tuple[int, Any]]] = {}
    with AnyReader([bag]) as reader:
        for connection, stamp, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            found.setdefault(connection.topic, []).append((stamp, message))
    return found


def values(messages: list[tuple[int, Any]]) -> np.ndarray:
    return np.array([message.data for _, message in messages])


def test_what_was_recorded_is_read_back_by_rosbags(tmp_path: Path) -> None:
    record = with_arm(3)
    bag = export_mcap([record], ABOUT, tmp_path / "bag", JOINTS)
    found = read(tmp_path / "bag")
    assert bag.messages == sum(len(messages) for messages in found.values())
    episode = record.episode
    np.testing.assert_array_equal(values(found["/daytwo/observation"]), episode.observations)
    np.testing.assert_array_equal(values(found["/daytwo/action"]), episode.actions)
    np.testing.assert_array_equal(values(found["/daytwo/reward"]), episode.rewards)
    q = [message.position for _, message in found["/joint_states"]]
    np.testing.assert_array_equal(q, record.tracks["q"])
    assert all(message.name == list(JOINTS) for _, message in found["/joint_states"])
    points = [message.points[0] for _, message in found["/command"]]
    np.testing.assert_array_equal([point.positions for point in points], record.sent[:, :2])
    assert all(message.joint_names == list(JOINTS) for _, message in found["/command"])
    assert {point.time_from_start.nanosec for point in points} == {STEP}
    np.testing.assert_array_equal(values(found["/gripper_command"]), np.float32(record.sent[:, 2]))
    objects = values(found["/daytwo/track/p_object"]).reshape(-1, 2, 3)
    np.testing.assert_array_equal(objects, np.float32(record.tracks["p object"]))
    ages = values(found["/daytwo/track/n7_ages"])[:, 0]
    np.testing.assert_array_equal(ages, np.float32(record.tracks["7 ages"]))


def test_the_mcap_package_reads_the_same(tmp_path: Path) -> None:
    records = [with_arm(3), with_arm(4, started="2026-01-02T04:00:00+00:00")]
    export_mcap(records, ABOUT, tmp_path / "bag", JOINTS)
    types, found = get_typestore(Stores.ROS2_JAZZY), read(tmp_path / "bag")
    again: dict[str, list[tuple[int, Any]]] = {}
    with (tmp_path / "bag" / "bag.mcap").open("rb") as file:
        reader = mcap.reader.make_reader(file, validate_crcs=True)
        assert reader.get_header().profile == "ros2"
        for schema, channel, message in reader.iter_messages():
            assert schema is not None
            assert (schema.encoding, channel.message_encoding) == ("ros2msg", "cdr")
            assert b"MSG: " in schema.data or "std_msgs" in schema.name  # whole definitions
            value = types.deserialize_cdr(message.data, schema.name)
            again.setdefault(channel.topic, []).append((message.log_time, value))
        summary = reader.get_summary()
    assert again.keys() == found.keys()
    for topic, messages in found.items():
        assert [stamp for stamp, _ in again[topic]] == [stamp for stamp, _ in messages]
        for (_, a), (_, b) in zip(again[topic], messages, strict=True):
            assert repr(a) == repr(b)
    assert summary is not None
    assert summary.statistics is not None  # by which Foxglove seeks
    assert summary.statistics.message_count == sum(map(len, found.values()))


def test_time_is_from_the_start_of_each_attempt_20_steps_a_second(tmp_path: Path) -> None:
    later, overlapping, unknown = (
        "2026-01-02T04:00:00+00:00",
        "2026-01-02T03:59:59.500+00:00",
        "",
    )
    records = [
        with_arm(1, 3, started=later),
        with_arm(2, 3, started=overlapping),
        with_arm(3, 3, started=unknown),
    ]
    export_mcap(records, ABOUT, tmp_path / "bag", JOINTS)
    found = read(tmp_path / "bag")
    begin = int(datetime.fromisoformat(later).timestamp()) * 10**9
    stamps = [stamp for stamp, _ in found["/daytwo/observation"]]
    assert stamps == [begin + i * STEP for i in range(12)]  # one attempt after the other
    assert STEP * CONTROL_HZ == 10**9
    assert lerobot.FPS == CONTROL_HZ
    rewards = [stamp for stamp, _ in found["/daytwo/reward"]]
    assert rewards[:3] == stamps[1:4]
    for stamp, message in found["/joint_states"]:
        assert message.header.stamp.sec * 10**9 + message.header.stamp.nanosec == stamp


def test_episodes_say_what_they_are_at_their_start_and_end(tmp_path: Path) -> None:
    records = [with_arm(1, skill="pick@3", day=2), with_arm(2, success=False, terminated=True)]
    export_mcap(records, ABOUT, tmp_path / "bag", JOINTS)
    said = [json.loads(message.data) for _, message in read(tmp_path / "bag")["/daytwo/episode"]]
    assert [(each["event"], each["episode"]) for each in said] == [
        *(("start", 0), ("end", 0), ("start", 1), ("end", 1))
    ]
    assert said[0]["skill"] == "pick@3"
    assert (said[0]["arm"], said[0]["day"], said[0]["steps"]) == ("panda", 2, 4)
    assert said[0]["context"] == np.float32(records[0].context).tolist()
    assert (said[1]["success"], said[3]["success"], said[3]["terminated"]) == (True, False, True)


def test_arrays_say_what_their_elements_are(tmp_path: Path) -> None:
    export_mcap([with_arm(1)], ABOUT, tmp_path / "bag", JOINTS)
    found = read(tmp_path / "bag")
    (dim,) = found["/daytwo/observation"][0][1].layout.dim
    assert (dim.label, dim.size, dim.stride) == ("joints.0,joints.1,joints.2,goal", 4, 4)
    assert found["/daytwo/action"][0][1].layout.dim[0].label == "x,y"
    dims = found["/daytwo/track/p_object"][0][1].layout.dim
    assert [(each.label, each.size, each.stride) for each in dims] == [
        ("p object", 2, 6),
        ("", 3, 3),
    ]


def test_the_folder_is_a_rosbag2_of_mcap(tmp_path: Path) -> None:
    export_mcap([with_arm(1)], ABOUT, tmp_path / "bag", JOINTS)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bag", "bag.mcap", "metadata.yaml"]
    said = yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())
    said = said["rosbag2_bagfile_information"]
    assert (said["storage_identifier"], said["version"]) == ("mcap", 8)
    assert said["relative_file_paths"] == ["bag.mcap"]
    for topic in said["topics_with_message_count"]:
        about = topic["topic_metadata"]
        assert about["serialization_format"] == "cdr"
        # What Humble reads as text, and Jazzy too in this version.
        assert about["offered_qos_profiles"] == ""
    with Reader(tmp_path / "bag") as reader:
        assert reader.message_count == said["message_count"]


def test_attempts_without_an_arm_go_out_too(tmp_path: Path) -> None:
    record = attempt(1, sent=np.zeros((0, 0)), tracks={})
    export_mcap([record], ABOUT, tmp_path / "bag")
    assert read(tmp_path / "bag").keys() == {
        *("/daytwo/episode", "/daytwo/observation", "/daytwo/action", "/daytwo/reward")
    }


def test_joints_without_names_are_numbered(tmp_path: Path) -> None:
    export_mcap([with_arm(1)], ABOUT, tmp_path / "bag")
    assert read(tmp_path / "bag")["/command"][0][1].joint_names == ["joint_1", "joint_2"]


def test_another_number_of_joints_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="track q has 2 joints, the arm 3: a, b, c"):
        export_mcap([with_arm(1)], ABOUT, tmp_path / "bag", ("a", "b", "c"))
    assert list(tmp_path.iterdir()) == []


def test_no_attempts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to export"):
        export_mcap([], ABOUT, tmp_path / "bag")


def test_what_exists_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    with pytest.raises(InputError, match="bag: exists already; name a new folder"):
        export_mcap([with_arm(1)], ABOUT, tmp_path / "bag")


@pytest.mark.parametrize(
    ("track", "topic"),
    [("opening", "opening"), ("p__a/b ", "p_a_b"), ("7", "n7"), ("ä", "n"), ("_x", "x")],
)
def test_topics_are_names_that_ros_accepts(track: str, topic: str) -> None:
    assert topic_of(track) == f"/daytwo/track/{topic}"
