"""What remembering costs, beside Stable-Baselines3's pickled replay buffer and Parquet files."""

from __future__ import annotations

import math
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium as gym
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.save_util import load_from_pkl, save_to_pkl

from daytwo.memory.episodes import Episode
from daytwo.memory.record import Record
from daytwo.memory.recorder import WAITING, Recorder
from daytwo.memory.replay import Layout
from daytwo.memory.sampler import Sampler
from daytwo.memory.store import CACHE, CACHE_INDEX, About, Store

OBS, ACTION, SENT, BATCH, DISCOUNT = 41, 5, 8, 256, 0.98
ABOUT = About("made up", (("all", OBS),), tuple("xyzrg"))
LAYOUT = Layout(OBS, ACTION)
HANDED_OVER = 1000  # attempts, to time the recorder
PROBE = 10  # appends for each sync of a plain file of as many bytes


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """Fill a memory attempt by attempt, then open it and draw, in turns with the peer.

    What is kept are attempts of 20 to 80 steps: smooth walks as observations, not constants, which
    would flatter compression. Every append is on the disk when it returns (`synchronous=FULL`);
    beside it stands what a plain write of as many bytes with `fdatasync` takes on this disk.
    "First batch" is everything from a path to 256 transitions as tensors; files are in the
    system's cache for both.
    """
    transitions, rounds, batches = (100_000, 3, 500) if quick else (1_000_000, 9, 2000)
    with tempfile.TemporaryDirectory(prefix="daytwo-bench-") as name:
        folder = Path(name)
        memory, pickled = folder / "memory", folder / "replay.pkl"
        peer = _buffer(transitions)
        appending = _fill(memory, peer, transitions, seed)
        save_to_pkl(pickled, peer)
        del peer
        start = time.perf_counter()
        with Store.open(memory) as store:
            Sampler(store, LAYOUT, DISCOUNT)
            episodes = len(store)
        built = time.perf_counter() - start

        opened, first, first_peer, drawn, drawn_peer = ([] for _ in range(5))
        generator = torch.Generator().manual_seed(seed)
        for _ in range(rounds):
            start = time.perf_counter()
            with Store.open(memory, ABOUT) as store:
                sampler = Sampler(store, LAYOUT, DISCOUNT)
                opened.append(time.perf_counter() - start)
                sampler.sample(BATCH, generator)
                first.append(time.perf_counter() - start)
                drawn += _times(partial(sampler.sample, BATCH, generator), batches // rounds)
                del sampler  # letting go is not timed, of neither
            start = time.perf_counter()
            buffer = load_from_pkl(pickled)
            buffer.sample(BATCH)
            first_peer.append(time.perf_counter() - start)
            drawn_peer += _times(partial(buffer.sample, BATCH), batches // rounds)
            del buffer
        kept = (memory / "memory.sqlite").stat().st_size
        cache = sum((memory / part).stat().st_size for part in (CACHE, CACHE_INDEX))
        return {
            "transitions": transitions,
            "episodes": episodes,
            "open_s": round(median(opened), 5),
            "sample_ms": round(median(drawn) * 1e3, 3),
            "sb3_sample_ms": round(median(drawn_peer) * 1e3, 3),
            **appending,
            **_hand_over(folder / "other", seed),
            "first_batch_s": round(median(first), 5),
            "sb3_first_batch_s": round(median(first_peer), 4),
            "sb3_ratio": round(median(b / a for a, b in zip(first, first_peer, strict=True)), 1),
            "cache_built_s": round(built, 2),
            "bytes_per_transition": round(kept / transitions, 1),
            "cache_bytes_per_transition": round(cache / transitions, 1),
            "sb3_bytes_per_transition": round(pickled.stat().st_size / transitions, 1),
            "parquet_bytes_per_transition": round(_parquet(memory, folder) / transitions, 1),
            **_growth_apart(memory, batches, seed),
            "settings": {
                "obs": OBS,
                "action": ACTION,
                "sent": SENT,
                "batch": BATCH,
                "rounds": rounds,
                "batches": batches,
                "seed": seed,
            },
        }


def _attempts(transitions: int, seed: int) -> Iterator[Record]:
    """Attempts made up, so many transitions in all."""
    rng, left = np.random.default_rng(seed), transitions
    while left:
        steps = min(int(rng.integers(20, 81)), left)
        left -= steps
        success = bool(rng.random() < 0.5)
        rewards = rng.normal(0, 0.01, steps).astype(np.float32)
        rewards[-1] += success
        actions = np.clip(_walk(rng, steps, ACTION, 0.2), -1, 1)
        observations = _walk(rng, steps + 1, OBS, 0.02)
        task = str(rng.choice(["a", "b"]))
        yield Record(
            Episode(observations, actions, rewards, success, success, task),
            arm=ABOUT.arm,
            driver="none",
            day=1 + (transitions - left) // 50_000,
            sent=_walk(rng, steps, SENT, 0.02),
            context=rng.normal(size=4).astype(np.float32),
        )


def _walk(rng: np.random.Generator, steps: int, width: int, pace: float) -> NDArray[np.float32]:
    """What moves smoothly, (steps, width)."""
    change = rng.normal(0, pace, (steps, width))
    return (rng.normal(size=width) + np.cumsum(change, axis=0)).astype(np.float32)


def _buffer(transitions: int) -> ReplayBuffer:
    observations = gym.spaces.Box(-np.inf, np.inf, (OBS,), np.float32)
    actions = gym.spaces.Box(-1, 1, (ACTION,), np.float32)
    return ReplayBuffer(transitions, observations, actions, device="cpu")


def _fill(memory: Path, peer: ReplayBuffer, transitions: int, seed: int) -> dict[str, float]:
    """Append everything to a new memory, and put it in the peer's buffer."""
    appends, syncs, at = [], [], 0
    with Store.create(memory, ABOUT) as store, (memory.parent / "plain").open("wb") as plain:
        for number, record in enumerate(_attempts(transitions, seed)):
            start = time.perf_counter()
            store.append(record)
            appends.append(time.perf_counter() - start)
            if number % PROBE == 0:
                syncs.append(_plain_write(plain.fileno(), 200 * len(record.episode)))
            episode, to = record.episode, at + len(record.episode)
            peer.observations[at:to, 0] = episode.observations[:-1]
            peer.next_observations[at:to, 0] = episode.observations[1:]
            peer.actions[at:to, 0] = episode.actions
            peer.rewards[at:to, 0] = episode.rewards
            peer.dones[to - 1] = episode.terminated
            at = to
    peer.full = True
    return {
        "append_p50_ms": round(_percentile(appends, 50) * 1e3, 3),
        "append_p99_ms": round(_percentile(appends, 99) * 1e3, 3),
        "fdatasync_p50_ms": round(_percentile(syncs, 50) * 1e3, 3),
        "fdatasync_p99_ms": round(_percentile(syncs, 99) * 1e3, 3),
    }


def _plain_write(descriptor: int, size: int) -> float:
    """Seconds to have so many bytes of a plain file on the disk."""
    data = os.urandom(size)
    start = time.perf_counter()
    os.write(descriptor, data)
    os.fdatasync(descriptor)
    return time.perf_counter() - start


def _hand_over(memory: Path, seed: int) -> dict[str, float]:
    """What an attempt's end costs the control loop, with a recorder between it and the disk."""
    took = []
    with Store.create(memory, ABOUT) as store, Recorder(store) as recorder:
        for number, record in zip(range(HANDED_OVER), _attempts(10**6, seed), strict=False):
            start = time.perf_counter()
            recorder.record(record)
            took.append(time.perf_counter() - start)
            if number % WAITING == WAITING - 1:
                recorder.flush()
    return {"hand_over_p99_ms": round(_percentile(took, 99) * 1e3, 3)}


def _parquet(memory: Path, folder: Path) -> int:
    """Bytes of the same columns in a Parquet file as LeRobot lays one out (snappy, float32)."""
    path, writer = folder / "episodes.parquet", None
    with Store.open(memory) as store:
        entries = store.find()
        for first in range(0, len(entries), 1000):
            columns: dict[str, list[Any]] = {}
            for entry in entries[first : first + 1000]:
                for name, values in _lerobot(store.read(entry.id), entry.id).items():
                    columns.setdefault(name, []).append(values)
            joined = {name: np.concatenate(values) for name, values in columns.items()}
            table = pa.table({name: _column(values) for name, values in joined.items()})
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
    assert writer is not None
    writer.close()
    return path.stat().st_size


def _lerobot(record: Record, number: int) -> dict[str, Any]:
    episode = record.episode
    steps = np.arange(len(episode))
    return {
        "observation.state": episode.observations[:-1],
        "action": episode.actions,
        "action.sent": np.asarray(record.sent, np.float32),
        "next.reward": episode.rewards,
        "next.done": steps == len(episode) - 1,
        "next.success": (steps == len(episode) - 1) & episode.success,
        "timestamp": (steps / 20).astype(np.float32),
        "frame_index": steps,
        "episode_index": np.full(len(episode), number),
        "task_index": np.full(len(episode), ord(episode.task)),
    }


def _column(values: NDArray[Any]) -> pa.Array:
    flat = pa.array(values.reshape(-1))
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _growth_apart(memory: Path, batches: int, seed: int) -> dict[str, float]:
    """By how much a process grows that opens a memory and draws from it [MB]."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_growth, (memory, batches, seed))


def _growth(memory: Path, batches: int, seed: int) -> dict[str, float]:
    generator = torch.Generator().manual_seed(seed)
    torch.randint(10, (10,), generator=generator)
    before, peak = _status("RssAnon"), _status("VmHWM")
    with Store.open(memory) as store:
        sampler = Sampler(store, LAYOUT, DISCOUNT)
        for _ in range(batches):
            sampler.sample(BATCH, generator)
        own, mapped = _status("RssAnon") - before, _status("RssFile")
    return {
        "own_memory_growth_mb": round(own, 1),  # what is read into RAM
        "peak_rss_growth_mb": round(_status("VmHWM") - peak, 1),  # with pages of the mapped cache
        "mapped_files_mb": round(mapped, 1),  # which the system takes back when it needs room
    }


def _status(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e6
    return math.nan


def _times(call: Callable[[], object], count: int) -> list[float]:
    took = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return took


def _percentile(values: list[float], share: float) -> float:
    return float(np.percentile(values, share))
