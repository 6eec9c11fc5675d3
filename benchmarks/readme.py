"""Writes the README's figures from `benchmarks/results`: `python -m daytwo.benchmarks.readme`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def table(results: Path = RESULTS) -> str:
    """Markdown rows of every benchmark that has a result; a full one goes before a quick one."""
    rows = ["| what | measured | beside it |", "|---|---|---|"]
    for name, tell in TELLERS.items():
        for file in (results / f"{name}.json", results / f"{name}.quick.json"):
            if file.exists():
                result = json.loads(file.read_text(encoding="utf-8"))
                note = " (quick run)" if result["quick"] else ""
                rows += [f"| {what}{note} | {ours} | {peer} |" for what, ours, peer in tell(result)]
                break
    return "\n".join(rows)


def _sim(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            "simulated seconds per wall second, IK, observation and reward included",
            f"{r['real_time_factor']:,} ({r['env_steps_per_s']:,} env steps/s)",
            f"{r['peer_real_time_factor']:,} in {r['peer']}: **{r['peer_ratio']}×**",
        ),
        ("share of the bare physics rate", f"{r['bare_ratio']}", "`mujoco.batch` alone: 1"),
    ]


def _update(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            "gradient updates/s on one thread (the other computes physics)",
            f"{r['updates_per_s']} ({r['gemm_fraction']:.0%} of the GEMM rate)",
            f"{r['sb3_updates_per_s']} in SB3 SAC with the same nets: **{r['sb3_ratio']}×**",
        ),
    ]


def _learn(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    exam, row = r["exam"], r["runs"][0]
    peers = ", ".join(
        f"{label} {row[key]['mean']:.0%}"
        for label, key in (
            ("SAC+HER", "sac_her"),
            ("SAC with the same examples", "sac_examples"),
            ("cloning alone", "cloning"),
        )
    )
    few = row["few_examples"]
    shown = sum(r["settings"]["worked_examples"].values())
    return [
        (
            f"minutes to pass the exam on reach, push, pick, place; {shown} worked examples",
            f"**{r['minutes']} min**, exam {_interval(exam)}",
            f"after {row['sac_her']['minutes']} min (cloning: its own): {peers}",
        ),
        (
            f"the same with {few['worked_examples']} worked examples",
            f"{few['minutes']} min, exam {_interval(few['exam'])}",
            f"cloning alone {_interval(few['cloning'])}",
        ),
    ]


def _teacher(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    shown, seeds = r["settings"]["worked_examples"], len(r["settings"]["seeds"])

    def told(kind: str) -> str:
        row = r["steps"][kind]
        late = f" ({row['censored']} of {seeds} not in time)" if row["censored"] else ""
        return f"{'> ' if censored(kind) else ''}{row['median'] / 1e3:,.0f} k{late}"

    def censored(kind: str) -> bool:
        """Whether the median is the budget."""
        row = r["steps"][kind]
        return bool(row["censored"] > len(row["seeds"]) / 2)

    least = "at least " if censored("uniform") else ""
    others = ", ".join(f"{kind} {told(kind)}" for kind in r["steps"] if kind != "progress")
    return [
        (
            f"environment steps to a mean exam of {r['settings']['mark']:.0%} on six tasks, each "
            f"shown {shown['each_task']} easy examples; median of {seeds}",
            f"{told('progress')} by learning progress",
            f"{others}; uniform takes **{least}{r['ratio_to_uniform']}×** as many as progress "
            f"({r['ratio_with_probes']}× with the teacher's probes counted)",
        )
    ]


def _continual(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    days = len(r["settings"]["worked_examples"])
    labels = {
        "not_renewed": "without renewing the actor",
        "fine_tuning": "fine-tuning",
        "replay": "replay",
        "ewc": "EWC",
        "all_at_once": "all at once",
    }

    def others(key: str, form: str) -> str:
        known = {name: row[key] for name, row in r["baselines"].items() if key in row}
        return ", ".join(f"{labels[name]} {row['mean']:{form}}" for name, row in known.items())

    def mine(key: str, form: str) -> str:
        low, high = r["intervals"][key]
        return f"**{r[key]:{form}}** [{low:{form}}, {high:{form}}]"

    seeds = len(r["settings"]["seeds"])
    what = f"{days} tasks, one a day, {seeds} seeds (90% bootstrap over them): "
    return [
        (
            what + "success on all exams at the end",
            mine("performance", ".1%"),
            others("performance", ".1%"),
        ),
        (what + "forgetting", mine("forgetting", ".3f"), others("forgetting", ".3f")),
        (
            what + "forward transfer",
            mine("forward_transfer", ".2f"),
            others("forward_transfer", ".2f"),
        ),
    ]


def _daytwo(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    alone = ", ".join(
        f"{label} {r['ablations'][key]['mean']:.1%}"
        for key, label in (
            ("weights_only", "the night's weights alone"),
            ("belief_only", "the belief alone"),
        )
    )
    return [
        (
            "first attempt of day two, in a hidden context met on day one (PyBullet twin)",
            f"**{_interval(r['day_two'])}**",
            f"a fresh learner {_interval(r['day_one'])}; {alone}",
        )
    ]


def _memory(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    first, peer = 1e3 * r["first_batch_s"], 1e3 * r["sb3_first_batch_s"]
    pickled, parquet = r["sb3_bytes_per_transition"], r["parquet_bytes_per_transition"]
    return [
        (
            f"memory of {r['transitions']:,} transitions: from closed to the first batch of 256",
            f"{first:.1f} ms (open {1e3 * r['open_s']:.1f} ms, then {r['sample_ms']} ms a batch)",
            f"SB3's replay pickle {peer:.0f} ms: **{r['sb3_ratio']}×**",
        ),
        (
            "bytes a transition",
            f"{r['bytes_per_transition']}",
            f"SB3's pickle {pickled}, Parquet {parquet}",
        ),
        (
            "an episode on the disk for good, 99 of 100",
            f"{r['append_p99_ms']} ms",
            f"the disk's own sync {r['fdatasync_p99_ms']} ms",
        ),
    ]


def _crash(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            "`kill -9` at random instants of recording, saving, consolidating, migrating",
            f"{r['instants']} kills: **{r['lost']} lost, {r['unreadable']} unreadable**",
            f"{r['acknowledged']} episodes and versions had been acknowledged",
        )
    ]


def _faults(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            f"{r['faults']} faults while ROS 2 nodes work attempts: processes killed and stopped, "
            "wires cut, clocks put back, packets and poses lost",
            f"**{r['moved_after_500_ms']} moved after 0.5 s, {r['episodes_lost']} episodes lost, "
            f"{r['manual_cleanups']} cleaned up by hand**",
            f"at rest after {r['longest_to_rest_s']:.2f} s at most; {r['episodes_told']} attempts "
            "had been told as kept",
        )
    ]


def _interval(exam: dict[str, Any]) -> str:
    return f"{exam['mean']:.1%} [{exam['low']:.1%}, {exam['high']:.1%}]"


def _bus(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            f"read and write to {r['settings']['servos']} Feetech servos (emulated, 1 Mbps)",
            f"{r['cycle_ms']} ms: **{r['ratio']}×** the wire's own time",
            f"the wire alone {r['wire_ms']} ms",
        )
    ]


def _governor(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            "goals beyond a limit that servos received, of commands of all kinds",
            f"**{r['violations']}** of {r['commands']:,}",
            "position, velocity, acceleration and jerk, at the emulated servos",
        )
    ]


def _loop(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    def told(row: dict[str, Any]) -> str:
        return f"{row['command_age_p99_ms']} ms, {row['jitter_p99_ms']} ms; {row['missed']} missed"

    start, n = r["graph_start_s"], r["settings"]["starts"]
    return [
        (
            "a policy's step, from what was measured to a command, 99 of 100",
            f"{r['policy_p99_ms']} ms",
            "one thread, no torch",
        ),
        (
            "through ROS 2 beside a learner, 99 of 100: a command's age, the 100 Hz loop's jitter",
            told(r),
            f"without a learner {told(r['idle'])}",
        ),
        (
            "from the start of the graph `twin_day` until the arm moves",
            f"{start['median']} s",
            f"the slowest of {n}: {start['max']} s",
        ),
    ]


def _twin_day(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    both = r["success"]["all"]
    return [
        (
            "attempts on the twin through the ROS 2 graph, in real time",
            f"{_interval(both['ros'])}",
            f"the same exercises in one process {_interval(both['one_process'])}",
        )
    ]


def _adapt(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    over, gain, gap = r["over_tasks"], r["gain"], r["gap_closed"]
    others = ("on_mean", "wiped", "oracle", "blind")
    at_last = ", ".join(f"{who} {over[who][-1]['mean']:.1%}" for who in others)
    peg, oracle, blind = (r[who]["insert"] for who in ("success_at", "oracle", "blind"))
    settings = r["settings"]
    n, tasks = settings["trials_per_task"] * len(settings["seeds"]), len(settings["tasks"])
    wrong = math.hypot(*(settings["held_out"][name][1] for name in ("target_x", "target_y")))
    return [
        (
            f"success at attempt 1 and 5 of a trial, hidden contexts from a wider range; {tasks} "
            f"tasks, {n} trials each",
            f"{over['carried'][0]['mean']:.1%} → **{_interval(over['carried'][-1])}**, gain "
            f"{gain['mean']:.3f} [{gain['interval'][0]:.3f}, {gain['interval'][1]:.3f}]",
            f"at attempt 5: {at_last}; gap closed {gap['mean']:.0%} "
            f"[{gap['interval'][0]:.0%}, {gap['interval'][1]:.0%}]",
        ),
        (
            f"insertion with 2–3 mm of clearance, a target wrong by up to {1000 * wrong:.0f} mm, "
            "attempt 1 and 5",
            f"{_interval(peg[0])} → **{_interval(peg[-1])}**",
            f"told the truth {oracle[-1]['mean']:.1%}, never told {blind[-1]['mean']:.1%}",
        ),
    ]


def _twin(r: dict[str, Any]) -> list[tuple[str, str, str]]:
    def told(rates: dict[str, list[dict[str, float]]], k: int) -> str:
        return ", ".join(f"{task} {at[k]['mean']:.0%}" for task, at in rates.items())

    n = r["settings"]["trials_per_task"]
    return [
        (
            f"studied in MuJoCo, acting in PyBullet, nothing tuned; {n} trials a task, attempt 1",
            told(r["success_at"], 0),
            f"at attempt 5: {told(r['success_at'], -1)}; in MuJoCo {told(r['mujoco'], -1)}",
        )
    ]


TELLERS = {
    "sim": _sim,
    "update": _update,
    "learn": _learn,
    "teacher": _teacher,
    "adapt": _adapt,
    "twin": _twin,
    "continual": _continual,
    "daytwo": _daytwo,
    "memory": _memory,
    "crash": _crash,
    "bus": _bus,
    "governor": _governor,
    "loop": _loop,
    "twin_day": _twin_day,
    "faults": _faults,
}


def main() -> None:
    """Rewrite the block between the markers."""
    text = README.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    README.write_text(f"{head}{BEGIN}\n{table()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
