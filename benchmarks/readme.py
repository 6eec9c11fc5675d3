"""Writes the README's figures from `benchmarks/results`: `python -m daytwo.benchmarks.readme`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def table(results: Path = RESULTS) -> str:
    """Markdown rows of every benchmark that has a result; a full one goes before a quick one."""
    rows = ["| what | measured | beside it |", "|---|---|---|"]
    for name, tell in (("sim", _sim), ("update", _update), ("learn", _learn)):
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


def _interval(exam: dict[str, Any]) -> str:
    return f"{exam['mean']:.1%} [{exam['low']:.1%}, {exam['high']:.1%}]"


def main() -> None:
    """Rewrite the block between the markers."""
    text = README.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    README.write_text(f"{head}{BEGIN}\n{table()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
