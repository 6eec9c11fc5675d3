"""A skill's model card: what it does, how it was learnt, how well, and where it ends.

Markdown with YAML front matter as model hubs read it (Mitchell et al., "Model Cards for Model
Reporting", FAT* 2019). Every sentence follows from what the skill holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from daytwo.memory.skill import Belief, Point, Sitting, Skill
from daytwo.memory.skill_parts import arrays

BARS = "▁▂▃▄▅▆▇█"

_CARD = """\
---
# license: yours to choose before you share it, e.g. apache-2.0
library_name: daytwo
pipeline_tag: robotics
tags: [robotics, daytwo, {arm}]
{index}---

# {name}

{what}

| | |
|---|---|
| arm | {arm_name} |
| version | {label}, made {created} with daytwo {software} |
| policy | {policy} |
| holds | {holds} |

## What it sees and does
Observation, {width} numbers: {observation}.

Action: {action}.

## How it was learnt
{learnt}

## Exam
{exam}

## Known limits
{limits}

## How to load it
```bash
daytwo skills import {name}.zip --memory daytwo-memory
```
```python
from daytwo.memory.skills import Skills

skill = Skills("daytwo-memory").get("{name}")
```

## Licence
Yours to choose: put its identifier into `license:` at the top of this file.
"""


def model_card(skill: Skill) -> str:
    """The card as Markdown."""
    layout = (f"{name} ({size})" for name, size in skill.about.observation)
    held = (f"{name} {tuple(shape)}" for name, shape in arrays(skill).items())
    return _CARD.format(
        index=_index(skill),
        name=skill.name,
        label=skill.label,
        arm=json.dumps(skill.about.arm, ensure_ascii=False),  # a JSON text is a YAML text
        arm_name=skill.about.arm,
        what=_what(skill),
        created=skill.created[:10],
        software=skill.software,
        policy=f"version {skill.policy}" if skill.policy else "none named",
        holds="; ".join(held) or "no arrays",
        width=skill.about.observations,
        observation=", ".join(layout),
        action=", ".join(skill.about.action),
        learnt=_learnt(skill),
        exam=_exam(skill.exams),
        limits="\n".join(f"- {limit}" for limit in _limits(skill)),
    )


def sparkline(curve: Sequence[Point], width: int = 40) -> str:
    """Success from the first attempt to the last as a row of at most `width` bars."""
    k, n = min(width, len(curve)), len(curve)
    rates = []
    for i in range(k):
        group = curve[i * n // k : (i + 1) * n // k]
        rates.append(sum(point.success for point in group) / len(group))
    return "".join(BARS[min(int(rate * len(BARS)), len(BARS) - 1)] for rate in rates)


def in_words(sitting: Sitting) -> str:
    """The rate of an exam with its interval."""
    return f"{sitting.rate:.1%} [{sitting.low:.1%}, {sitting.high:.1%}]"


def belief_in_words(belief: Belief) -> str:
    """Each element of a context with its spread."""
    elements = zip(belief.names, belief.mean, belief.spread, strict=True)
    return ", ".join(f"{name} {mean:.3g} ± {spread:.2g}" for name, mean, spread in elements)


def _index(skill: Skill) -> str:
    """The last exam as hubs index it."""
    if not skill.exams:
        return ""
    task = {"type": "robotics", "name": skill.task}
    data = {"type": "daytwo-exam", "name": f"{skill.task} on {skill.about.arm}"}
    metric = {"type": "success_rate", "value": round(skill.exams[-1].rate, 6)}
    results = [{"task": task, "dataset": data, "metrics": [metric]}]
    index = [{"name": skill.name, "results": results}]
    return f"model-index: {json.dumps(index, ensure_ascii=False)}\n"


def _what(skill: Skill) -> str:
    asked = {sign: [k for k, v in skill.descriptor.items() if v == sign] for sign in (1, -1)}
    words = f"Does the task `{skill.task}` with the arm {skill.about.arm}."
    if asked[1]:
        words += f" An attempt succeeds when these hold: {_code(asked[1])}."
    if asked[-1]:
        words += f" It fails as soon as one of these holds: {_code(asked[-1])}."
    return words


def _learnt(skill: Skill) -> str:
    on_arm = [day for day in skill.days if day > 0]
    lines = [
        f"- worked examples shown: {skill.examples}",
        f"- attempts: {skill.attempts}",
        f"- days on the arm: {len(on_arm)}" + (f" ({_join(on_arm)})" if on_arm else ""),
    ]
    if 0 in skill.days:
        lines.append("- studied in simulation before the first day")
    if skill.curve:
        lines.append(f"- success from the first attempt to the last: `{sparkline(skill.curve)}`")
    return "\n".join(lines)


def _exam(exams: Sequence[Sitting]) -> str:
    if not exams:
        return "No exam was sat."
    rows = [
        f"| {s.day} | {s.date[:10]} | {s.policy} | {s.successes}/{s.attempts} | {in_words(s)} |"
        for s in exams
    ]
    head = "| day | date | policy | successes | rate [interval] |\n|---|---|---|---|---|"
    return "\n".join([head, *rows])


def _limits(skill: Skill) -> list[str]:
    limits = [
        f"For {skill.about.arm} and this layout of observations and actions alone; a memory of "
        "another arm or layout refuses it."
    ]
    if skill.exams:
        limits.append(
            f"The last exam was {skill.exams[-1].attempts} attempts; the interval says how little "
            "or much that tells, and only about exercises like the exam's."
        )
    else:
        limits.append("No exam was sat: nothing is known of how often it succeeds.")
    if skill.belief is None:
        limits.append("Under which conditions it was learnt is not known.")
    else:
        limits.append(
            f"Learnt where the hidden context was estimated as {belief_in_words(skill.belief)}; "
            "far from there it has to be adapted first."
        )
    if skill.examples:
        limits.append("It was shown worked examples: what it does, it did not discover by itself.")
    if not skill.weights:
        limits.append("It brings no weights of a policy.")
    limits.append("No safety function: for a supervised arm that keeps limits of its own.")
    return limits


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _join(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
