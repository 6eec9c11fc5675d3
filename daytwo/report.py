"""One self-contained HTML file that says what a run did, from the files in its folder."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from daytwo.plots import curriculum, learning_curves
from daytwo.run_folder import RunFolder, write_text

NAMES = {
    "learner": "learner",
    "cloning": "imitation only",
    "expert": "scripted expert",
}
CONTROL_HZ = 20.0  # the control rate of every world; turns steps into practised time


def write_report(folder: RunFolder) -> Path:
    """Write the run's report.html and return its path.

    Raises:
        InputError: the run's files are damaged, or the report cannot be written.
    """
    run = folder.read(folder.run)
    exam = folder.read(folder.exam)["rows"] if folder.exam.exists() else []
    probes = folder.read_progress()
    page = template("report.html").render(context(folder, run, exam, probes))
    write_text(folder.report, page)
    return folder.report


def template(name: str) -> Template:
    """A page of `daytwo/templates`; a value that is missing is an error."""
    environment = Environment(
        loader=PackageLoader("daytwo"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def context(
    folder: RunFolder,
    run: Mapping[str, Any],
    exam: Sequence[Mapping[str, Any]],
    probes: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return what the template shows."""
    settings = run["settings"]
    textbook = settings["textbook"]
    held_out = [paper["task"] for paper in textbook.get("held_out", [])]
    tasks = [paper["task"] for paper in textbook["exam"]] + held_out
    every, exam = exam, [row for row in exam if row["task"] not in held_out]
    videos = [folder.videos / f"{task}.mp4" for task in tasks]
    return {
        "title": f"{textbook['name']} on {settings['arm']}",
        "date": run["started"][:10],
        "path": folder.path,
        "headline": _headline(run, exam),
        "lead": _lead(run, exam),
        "tiles": _tiles(run, exam),
        "shown": _shown(run["worked_examples"]),
        "beyond": _beyond(exam),
        "videos": [_video(path, every) for path in videos if path.exists()],
        "videos_missing": run.get("videos_missing"),
        "exam": [_group(task, every) for task in tasks] if every else [],
        "held_out": held_out,
        "curves": Markup(learning_curves(probes, tasks)),
        "curriculum": Markup(curriculum(probes)),
        "teacher": textbook.get("teacher", {"kind": "order"})["kind"],
        "probe_attempts": textbook["probe"]["attempts"],
        "facts": _facts(run),
        "settings": yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).strip(),
    }


def mean_rate(exam: Sequence[Mapping[str, Any]], policy: str) -> float | None:
    """Return a policy's success averaged over its exam papers; None if it sat none."""
    rates = [row["rate"] for row in exam if row["policy"] == policy]
    return sum(rates) / len(rates) if rates else None


def _headline(run: Mapping[str, Any], exam: Sequence[Mapping[str, Any]]) -> str:
    minutes = f"{run['wall_s'] / 60:.1f} minutes"
    rate = mean_rate(exam, "learner")
    if rate is None:
        return f"{minutes} of study, no exam yet"
    papers = sum(row["policy"] == "learner" for row in exam)
    if papers == 1:
        return f"{percent(rate)} on the exam after {minutes} of study"
    return f"{percent(rate)} over {papers} exam papers after {minutes} of study"


def _lead(run: Mapping[str, Any], exam: Sequence[Mapping[str, Any]]) -> str:
    machine = run["machine"]
    text = (
        f"One policy for all tasks, learnt in MuJoCo on {machine['cores']} cores "
        f"({machine['cpu']}) from {run['env_steps']:,} steps of practice"
    )
    mine = [row for row in exam if row["policy"] == "learner"]
    if not mine:
        return text + "."
    worst = min(mine, key=lambda row: row["rate"])
    return f"{text}. Its weakest paper is {worst['task']}, {percent(worst['rate'])}."


def _tiles(run: Mapping[str, Any], exam: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    attempts = sum(row["attempts"] for row in exam if row["policy"] == "learner")
    tiles = [
        (f"{run['wall_s'] / 60:.1f} min", "study, wall time"),
        (_short(run["env_steps"]), "environment steps"),
        (f"{run['env_steps'] / CONTROL_HZ / 3600:.1f} h", "practice, simulated"),
        (_short(run["updates"]), "gradient updates"),
        (f"{sum(run['worked_examples'].values()):,}", "worked examples"),
        (f"{attempts:,}", "exam attempts"),
        (f"{run['peak_memory_gb']:.1f} GB", "peak memory"),
    ]
    return [{"value": value, "label": label} for value, label in tiles]


def _shown(worked_examples: Mapping[str, int]) -> str:
    total = sum(worked_examples.values())
    if total == 0:
        return "It was shown nothing: no worked examples, only practice and its reward."
    parts = ", ".join(f"{task} {n}" for task, n in worked_examples.items() if n)
    return (
        f"This is not discovery from nothing: it was shown {total:,} worked examples, successful "
        f"attempts by the scripted experts ({parts}), and practised beside them."
    )


def _beyond(exam: Sequence[Mapping[str, Any]]) -> str:
    learner, cloning, expert = (mean_rate(exam, policy) for policy in NAMES)
    if learner is None or cloning is None or expert is None:
        return "How much of it is imitation the exam will tell, once it is sat."
    return (
        f"A policy that only imitates those examples (behaviour cloning) reaches "
        f"{percent(cloning)} on the same exam, the learner {percent(learner)}, the scripted "
        f"experts themselves, which see the whole state, {percent(expert)}."
    )


def _video(path: Path, exam: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    task = path.stem
    rates = [r["rate"] for r in exam if r["policy"] == "learner" and r["task"] == task]
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return {
        "task": task,
        "caption": f"exam {percent(rates[0])}" if rates else "",
        "uri": f"data:video/mp4;base64,{data}",
    }


def _group(task: str, exam: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rows = sorted(
        (row for row in exam if row["task"] == task), key=lambda r: list(NAMES).index(r["policy"])
    )
    return {
        "task": task,
        "rows": [
            {
                "policy": row["policy"],
                "name": NAMES[row["policy"]],
                "rate": percent(row["rate"]),
                "low": percent(row["low"]),
                "high": percent(row["high"]),
                "successes": row["successes"],
                "attempts": row["attempts"],
                "left": round(100 * row["low"], 2),
                "width": round(100 * (row["high"] - row["low"]), 2),
                "at": round(100 * row["rate"], 2),
            }
            for row in rows
        ],
    }


def _facts(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    settings, machine = run["settings"], run["machine"]
    return [
        ("textbook", settings["textbook"]["name"]),
        ("arm", settings["arm"]),
        ("seed", str(run["seed"])),
        ("ended", run["ended"]),
        ("started", run["started"]),
        ("machine", f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB"),
        ("system", machine["system"]),
        ("versions", ", ".join(f"{k} {v or 'not installed'}" for k, v in run["versions"].items())),
        ("commit", run["commit"] or "not from a repository"),
    ]


def percent(rate: float) -> str:
    """A rate in [0, 1] for people."""
    return f"{100 * rate:.1f} %".replace("100.0", "100")


def _short(number: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return f"{number:,.0f}"
