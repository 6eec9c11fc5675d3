"""Writes attempts as a rosbag2 folder (MCAP) of standard ROS 2 messages, to be seen and played.

One attempt follows the other in time, each from when it began, 20 steps a second. Topics:

    /joint_states        sensor_msgs/JointState           measured, from track `q` [rad]
    /command             trajectory_msgs/JointTrajectory  sent: joint targets [rad], one point each
    /gripper_command     std_msgs/Float32                 sent: 0 shut .. 1 open
    /daytwo/observation  std_msgs/Float32MultiArray       what the policy saw
    /daytwo/action       std_msgs/Float32MultiArray       what it asked for
    /daytwo/reward       std_msgs/Float32                 when the step was over
    /daytwo/track/NAME   std_msgs/Float32MultiArray       every other track
    /daytwo/episode      std_msgs/String                  JSON, at an attempt's start and end
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from daytwo import __version__
from daytwo.errors import InputError
from daytwo.memory import lerobot
from daytwo.memory.about import About
from daytwo.memory.aside import aside
from daytwo.memory.record import Record
from daytwo.memory.selection import Attempts

SECOND = 1_000_000_000  # [ns]
STEP = SECOND // lerobot.FPS  # [ns]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

METADATA: Literal[8] = 8  # version of metadata.yaml: the newest that ROS 2 Humble reads too

Field = NDArray[Any]


@dataclass(frozen=True)
class Bag:
    """What went out."""

    episodes: int
    messages: int


def export_mcap(
    records: Attempts,
    about: About,
    target: str | Path,
    joints: Sequence[str] = (),
    done: Callable[[int], object] = lambda _: None,
) -> Bag:
    """Write attempts as a rosbag2 folder; all of it is there in the end, or nothing.

    Args:
        records: the attempts, oldest first; read one at a time.
        about: what they belong to.
        target: folder to be made.
        joints: names of the arm's joints as its URDF has them; joint_1, ... if none are given.
        done: called with 1 after each attempt.

    Raises:
        InputError: there are none, the folder exists, the disk refuses, or the names are too many
            or too few.
    """
    if len(records) == 0:
        raise InputError("nothing to export: no attempt fits what was asked for")
    with aside(target) as folder:
        bag = Writer(folder, version=METADATA, storage_plugin=StoragePlugin.MCAP)
        bag.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        bag.set_custom_data("software", f"daytwo {__version__}")
        with bag:
            publisher = _Publisher(bag)
            end = -STEP
            for i, record in enumerate(records):
                begin = max(_nanoseconds(record.started), end + STEP)
                end = begin + STEP * len(record.episode)
                _publish(publisher, i, record, about, joints, begin)
                done(1)
    return Bag(len(records), publisher.messages)


def topic_of(track: str) -> str:
    """The topic of a track, whose name need not be one that ROS accepts."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", track).strip("_")
    return f"/daytwo/track/{name if name[:1].isalpha() else f'n{name}'}"


def _nanoseconds(started: str) -> int:
    """Since 1970; 0 if it is not known."""
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return 0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - EPOCH) // timedelta(microseconds=1) * 1000, 0)


class _Publisher:
    """Makes messages of plain values and writes them."""

    def __init__(self, bag: Writer) -> None:
        self.messages = 0
        self._bag = bag
        self._types = get_typestore(Stores.ROS2_JAZZY)
        self._topics: dict[str, Connection] = {}
        self._layouts: dict[tuple[str, tuple[int, ...]], Any] = {}

    def publish(self, topic: str, kind: str, stamp: int, **fields: Any) -> None:
        """Write a message; its topic is announced with the first one."""
        if topic not in self._topics:
            self._topics[topic] = self._bag.add_connection(topic, kind, typestore=self._types)
        data = self._types.serialize_cdr(self.make(kind, **fields), kind)
        self._bag.write(self._topics[topic], stamp, data)
        self.messages += 1

    def make(self, kind: str, **fields: Any) -> Any:
        return self._types.types[kind](**fields)

    def header(self, stamp: int) -> Any:
        sec, nanosec = divmod(stamp, SECOND)
        time = self.make("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
        return self.make("std_msgs/msg/Header", stamp=time, frame_id="")

    def array(self, topic: str, stamp: int, value: Field, label: str) -> None:
        """Publish numbers with their shape; `label` says what they are."""
        value = np.asarray(value, np.float32)
        layout = self._layouts.get((label, value.shape))
        if layout is None:
            layout = self._layouts[label, value.shape] = self._layout(label, value.shape)
        kind = "std_msgs/msg/Float32MultiArray"
        self.publish(topic, kind, stamp, layout=layout, data=value.ravel())

    def _layout(self, label: str, shape: tuple[int, ...]) -> Any:
        shape = shape or (1,)
        dim = [
            self.make(
                "std_msgs/msg/MultiArrayDimension",
                label=label if axis == 0 else "",
                size=size,
                stride=math.prod(shape[axis:]),
            )
            for axis, size in enumerate(shape)
        ]
        return self.make("std_msgs/msg/MultiArrayLayout", dim=dim, data_offset=0)

    def joint_state(self, stamp: int, names: Sequence[str], q: Field) -> None:
        nothing = np.zeros(0)
        self.publish(
            "/joint_states",
            "sensor_msgs/msg/JointState",
            stamp,
            header=self.header(stamp),
            name=list(names),
            position=np.asarray(q, np.float64),
            velocity=nothing,
            effort=nothing,
        )

    def command(self, stamp: int, names: Sequence[str], sent: Field) -> None:
        """Publish joint targets, to be reached within a step, and the gripper's."""
        nothing = np.zeros(0)
        point = self.make(
            "trajectory_msgs/msg/JointTrajectoryPoint",
            positions=np.asarray(sent[:-1], np.float64),
            velocities=nothing,
            accelerations=nothing,
            effort=nothing,
            time_from_start=self.make("builtin_interfaces/msg/Duration", sec=0, nanosec=STEP),
        )
        self.publish(
            "/command",
            "trajectory_msgs/msg/JointTrajectory",
            stamp,
            header=self.header(stamp),
            joint_names=list(names),
            points=[point],
        )
        self.publish("/gripper_command", "std_msgs/msg/Float32", stamp, data=float(sent[-1]))


def _publish(
    to: _Publisher, number: int, record: Record, about: About, joints: Sequence[str], begin: int
) -> None:
    """Write an attempt, in the order of time."""
    episode, steps = record.episode, len(record.episode)
    tracks = {name: np.asarray(track) for name, track in record.tracks.items()}
    q = tracks.pop("q") if "q" in tracks and tracks["q"].ndim == 2 else None
    widths = {"track q": None if q is None else q.shape[1]}
    widths |= {"sent": record.sent.shape[1] - 1 if len(record.sent) else None}
    names = {what: _joint_names(joints, what, width) for what, width in widths.items()}
    labels = {name: ",".join(each.names) for name, each in lerobot.layout(about).items()}
    _tell(to, number, record, begin, "start")
    for t in range(steps + 1):
        now = begin + t * STEP
        if t > 0:
            reward = float(episode.rewards[t - 1])
            to.publish("/daytwo/reward", "std_msgs/msg/Float32", now, data=reward)
        if q is not None and t < len(q):
            to.joint_state(now, names["track q"], q[t])
        for name, track in tracks.items():
            if t < len(track):
                to.array(topic_of(name), now, track[t], name)
        observation = episode.observations[t]
        to.array("/daytwo/observation", now, observation, labels[lerobot.OBSERVATION])
        if t < steps:
            to.array("/daytwo/action", now, episode.actions[t], labels[lerobot.ACTION])
            if len(record.sent):
                to.command(now, names["sent"], record.sent[t])
    _tell(to, number, record, begin + steps * STEP, "end")


def _joint_names(joints: Sequence[str], what: str, width: int | None) -> Sequence[str]:
    if width is None:
        return ()
    if joints and len(joints) != width:
        raise InputError(f"{what} has {width} joints, the arm {len(joints)}: {', '.join(joints)}")
    return joints or [f"joint_{i + 1}" for i in range(width)]


def _tell(to: _Publisher, number: int, record: Record, stamp: int, event: str) -> None:
    """Say on /daytwo/episode which attempt begins, or how it ended."""
    said: dict[str, Any] = {"event": event, "episode": number, "task": record.episode.task}
    if event == "start":
        plain = (
            "arm",
            "driver",
            "day",
            "trial",
            "attempt",
            "skill",
            "policy",
            "software",
            "started",
        )
        said |= {name: getattr(record, name) for name in plain}
        said |= {
            "steps": len(record.episode),
            "context": np.asarray(record.context, np.float32).tolist(),
        }
    else:
        said |= {"success": record.episode.success, "terminated": record.episode.terminated}
    to.publish("/daytwo/episode", "std_msgs/msg/String", stamp, data=json.dumps(said))
