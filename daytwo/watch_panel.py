"""What the live page says in words. Plain HTML; everything from elsewhere is escaped.

The page must not go on showing what was, when nobody tells it anything any more. Every piece is
written anew several times a second, which restarts its animation; where that stops, the animation
covers it with a warning, without a script.
"""

from __future__ import annotations

from functools import lru_cache
from html import escape

from daytwo.errors import InputError
from daytwo.sim.arms import load_arm
from daytwo.watch_link import News

OLD = 0.5  # [s] news may be, to be shown as now
WARM = 50.0  # [C] from here on a temperature is marked

_STYLE = """<style>
.d2{font-family:system-ui,sans-serif;color:#1f2933;line-height:1.35;padding:2px 10px 5px}
.d2 .state{position:relative;overflow:hidden;border-radius:10px;padding:14px 16px;color:#fff}
.d2 .word{font-size:30px;font-weight:750;line-height:1.1;letter-spacing:-.02em}
.d2 .why{font-size:15px;margin-top:5px;overflow-wrap:anywhere}
.d2 .age{font-size:12.5px;opacity:.9;margin-top:6px;font-variant-numeric:tabular-nums}
.d2 .lost{position:absolute;inset:0;background:#5b1a1a;padding:14px 16px;visibility:hidden;
 animation:d2-lost 0s linear 3s forwards}
@keyframes d2-lost{to{visibility:visible}}
.d2 .row{display:flex;align-items:baseline;justify-content:space-between;gap:12px;
 font-size:14.5px;padding:3px 0}
.d2 .row span:first-child{color:#616e7c}
.d2 .row span:last-child{text-align:right;overflow-wrap:anywhere}
.d2 .dots{letter-spacing:2px;color:#1a7f4b}
.d2.old{opacity:.45}
.d2 .bad{color:#b42318;font-weight:600}
.d2 table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
button:has(.icon-tabler-hand-stop){height:76px!important;border-radius:10px!important;
 background:#d11a1a!important;font-size:30px!important;letter-spacing:.06em;
 font-weight:800!important}
button:has(.icon-tabler-hand-stop):hover{background:#a80f0f!important}
.icon-tabler-hand-stop{width:30px;height:30px;position:relative;left:-12px}
button:has(.icon-tabler-rotate){height:38px!important;border-radius:10px!important;
 font-size:15px!important}
.d2 td{padding:1px 0}.d2 td+td{text-align:right}
</style>"""

_COLOURS = {"green": "#1a7f4b", "blue": "#2563a8", "amber": "#b45f06", "red": "#c11d1d"}
_GREY = "#59636e"
_STATES = {  # of the governor, in plain words
    "off": ("Off", _GREY),
    "hold": ("Holding still", _COLOURS["blue"]),
    "follow": ("Moving", _COLOURS["green"]),
    "stop": ("Coming to rest", _COLOURS["amber"]),
    "latched": ("Stopped", _COLOURS["red"]),
}

_LOST = (
    '<div class="lost"><div class="word">Connection lost</div><div class="why">This page hears '
    "nothing any more: what it shows is old, and its buttons do nothing.</div></div>"
)


def state_html(news: News, beat: int) -> str:
    """The governor's state with its reason, large; `beat` rises from call to call."""
    age, state = news.age(), news.state
    if state is None:
        word, colour, why = "No arm yet", _GREY, news.silence
        told = ""
    elif news.silence or age is None or age > OLD:
        word, colour = "No news", _GREY
        last = _STATES[state["state"]][0].lower()
        why = f"{news.silence or 'the governor tells nothing'}; last heard: {last}"
        told = f"what you see is {_seconds(age)} old"
    else:
        word, colour = _STATES[state["state"]]
        why, told = state["reason"], f"heard {_seconds(age)} ago"
        if state["state"] == "latched":
            why += " – stays so until a reset"
    return (
        f'{_STYLE}<div class="d2" data-beat="{beat}">'
        f'<div class="state" style="background:{colour}">'
        f'<div class="word">{escape(word)}</div><div class="why">{escape(why)}</div>'
        f'<div class="age">{escape(told)}</div>{_LOST}</div></div>'
    )


def facts_html(news: News) -> str:
    """Which arm, which attempt, how it went so far, and what is wrong."""
    at, state = news.at, news.state
    rows = []
    if news.arm:
        through = f" through {at.driver}" if at else ""
        rows.append(("arm", escape(_name(news.arm) + through)))
    if at and at.task:
        of = f" of {at.attempts}" if at.attempts else ""
        number = f"attempt {at.attempt}{of}" if at.attempt else "between attempts"
        rows.append((escape(at.task), number))
        if at.done:
            dots = "●" * at.successes + "○" * (at.done - at.successes)
            dots = f'<span class="dots">{dots}</span> ' if at.done <= 10 else ""
            rows.append(("success so far", f"{dots}{at.successes} of {at.done}"))
    elif news.arm:
        rows.append(("attempt", "none is announced"))
    if state is not None:
        rows.append(("commanded", "by a session" if state["leased"] else "by nobody"))
        for name, said in (("refused", state["refused"]), ("failure", state["failure"])):
            if said:
                rows.append((name, f'<span class="bad">{escape(said)}</span>'))
    lines = "".join(
        f'<div class="row"><span>{name}</span><span>{value}</span></div>' for name, value in rows
    )
    age = news.age()
    old = " old" if news.silence or age is None or age > OLD else ""
    return f'{_STYLE}<div class="d2{old}">{lines}</div>'


def health_html(news: News) -> str:
    """Temperatures and faults, "" where the arm tells none."""
    reading = (news.state or {}).get("reading") or {}
    health = reading.get("health")
    if not health:
        return ""
    names = (*_joints(news.arm), "gripper")
    cells = []
    for name, warmth, fault in zip(names, health["temperature"], health["faults"], strict=False):
        if warmth is None and not fault:
            continue
        degrees = "–" if warmth is None else f"{warmth:.0f} °C"
        bad = ' class="bad"' if fault or (warmth or 0.0) >= WARM else ""
        told = f"{degrees} {escape(fault)}".strip()
        cells.append(f"<tr><td>{escape(name)}</td><td{bad}>{told}</td></tr>")
    return f'{_STYLE}<div class="d2"><table>{"".join(cells)}</table></div>' if cells else ""


def said_html(said: str, bad: bool) -> str:
    """What came of a button."""
    mark = ' class="bad"' if bad else ""
    return f'{_STYLE}<div class="d2"><div class="row"><span{mark}>{escape(said)}</span></div></div>'


@lru_cache(maxsize=8)
def _name(arm: str) -> str:
    try:
        return load_arm(arm).name
    except InputError:
        return arm


@lru_cache(maxsize=8)
def _joints(arm: str) -> tuple[str, ...]:
    try:
        return load_arm(arm).joints
    except InputError:
        return ()


def _seconds(age: float | None) -> str:
    if age is None:
        return "of unknown age"
    return f"{age:.2f} s" if age < 1 else f"{age:.0f} s"
