"""Speed of the world beside a bare `Batch.step` and beside Gymnasium-Robotics, interleaved."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from daytwo.benchmarks.peers import peer_python
from daytwo.sim.arms import load_arm
from daytwo.sim.engine import MujocoEngine
from daytwo.sim.scene import CONTROL_HZ, SUBSTEPS
from daytwo.sim.world import World

PEER = "FetchPickAndPlace-v4 (gymnasium-robotics 1.4.2, mujoco 3.11.0)"
PEER_REQUIREMENTS = ["gymnasium-robotics==1.4.2", "mujoco==3.11.0"]
PEER_HZ = 25.0


def run(quick: bool = False, seed: int = 0) -> dict[str, Any]:
    """Measure env steps/s with IK, observation and reward.

    Rounds of ours, bare and peer follow each other, so that a busy machine slows all alike; the
    figures are medians over rounds, the ratios medians of each round's own ratio. Both sides use
    every core: our thread pool, and as many peer processes as there are cores.
    """
    n, seconds, rounds = 256, 3.0, 3 if quick else 9
    rng = np.random.default_rng(seed)
    world = World(load_arm("panda"), ("place",), n)
    seeds = iter(range(10**9))
    peers = [_peer(i) for i in range(os.cpu_count() or 1)]

    def restart(ids: np.ndarray) -> None:
        world.reset(ids, 0 * ids, rng.uniform(size=len(ids)), [next(seeds) for _ in ids])

    def ours() -> None:
        result = world.step(rng.uniform(-1, 1, (n, 5)))
        done = np.flatnonzero(result.terminated | result.truncated)
        if len(done):
            restart(done)
        if not np.isfinite(result.obs).all():
            raise FloatingPointError("an observation is not finite")

    assert isinstance(world.engine, MujocoEngine)
    batch = world.engine.batch
    targets = batch.bind("ctrl").copy()

    def bare() -> None:
        # The same work for the physics: servos driven, nothing computed around them.
        batch.ctrl[:] = targets + rng.uniform(-0.02, 0.02, targets.shape)
        batch.step(nstep=SUBSTEPS)

    rows = []
    for _ in range(rounds):
        restart(np.arange(n))
        env_rate = n * _rate(ours, seconds)
        restart(np.arange(n))
        bare_rate = n * _rate(bare, seconds)
        rows.append((env_rate, bare_rate, _peer_rate(peers, seconds)))
    for peer in peers:
        peer.terminate()
    if world.diverged:
        raise FloatingPointError(f"{world.diverged} simulations diverged")
    env, bare_rates, peer_rates = (np.array(x) for x in zip(*rows, strict=True))
    return {
        "env_steps_per_s": round(median(env)),
        "bare_steps_per_s": round(median(bare_rates)),
        "bare_ratio": round(median(env / bare_rates), 3),
        "real_time_factor": round(median(env) / CONTROL_HZ),
        "peer": PEER,
        "peer_steps_per_s": round(median(peer_rates)),
        "peer_real_time_factor": round(median(peer_rates) / PEER_HZ),
        "peer_ratio": round(median((env / CONTROL_HZ) / (peer_rates / PEER_HZ)), 2),
        "settings": {
            "arm": "panda",
            "task": "place",
            "simulations": n,
            "control_hz": CONTROL_HZ,
            "peer_hz": PEER_HZ,
            "seconds_per_round": seconds,
            "rounds": rounds,
            "seed": seed,
        },
    }


def _rate(step: Callable[[], None], seconds: float) -> float:
    """Calls per second."""
    calls, start = 0, time.perf_counter()
    while (now := time.perf_counter()) - start < seconds:
        step()
        calls += 1
    return calls / (now - start)


def _peer(i: int) -> subprocess.Popen[str]:
    python = peer_python("gymnasium-robotics", PEER_REQUIREMENTS)
    worker = Path(__file__).with_name("fetch_worker.py")
    environ = os.environ | {"OMP_NUM_THREADS": "1"}
    peer = subprocess.Popen(
        [python, worker, str(i)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
    )
    assert peer.stdout
    assert peer.stdout.readline().strip() == "ready", "the peer did not start"
    return peer


def _peer_rate(peers: list[subprocess.Popen[str]], seconds: float) -> float:
    """Control steps per second of all peer processes together."""
    for peer in peers:
        assert peer.stdin
        print(seconds, file=peer.stdin, flush=True)
    total = 0.0
    for peer in peers:
        assert peer.stdout
        steps, took = peer.stdout.readline().split()
        total += int(steps) / float(took)
    return total
