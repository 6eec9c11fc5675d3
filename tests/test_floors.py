"""The house's floors, read from the source: nobody imports upwards.

sim, memory -> curricula, hardware -> policies -> daytwo/ (the command) and benchmarks.
`daytwo/errors.py` may be imported by all. The library never imports rclpy; memory/ and policies/
live without MuJoCo, because peers they are compared with pin older ones.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("sim", "memory", "curricula", "hardware", "policies", "benchmarks", "daytwo")
FLOOR = {"sim": 0, "memory": 0, "curricula": 1, "hardware": 1, "policies": 2, "daytwo": 3}
FLOOR["benchmarks"] = 3
COMMON = {"daytwo", "daytwo.errors"}  # the namespace itself holds only the version


def files(room: str) -> list[Path]:
    if room == "daytwo":  # its rooms are links: only its own files belong to it
        own = ROOT / room
        return sorted([*own.glob("*.py"), *(own / "commands").glob("*.py")])
    return sorted((ROOT / room).rglob("*.py"))


def imported(source: str) -> set[str]:
    """Return every module name a file imports, at any depth (`from a.b import c` gives `a.b`)."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the floor they reach into"
            names.add(node.module or "")
            if node.module == "daytwo":
                names |= {f"daytwo.{alias.name}" for alias in node.names}
    return names


def room_of(module: str) -> str | None:
    """Return the room a module name lies in; None for what is not ours or common to all."""
    if module in COMMON or not module.startswith("daytwo."):
        return None
    second = module.split(".")[1]
    if (ROOT / "daytwo" / f"{second}.py").exists():
        return "daytwo"
    if second == "commands":
        return "daytwo"
    return second if second in FLOOR else None


EVERY_FILE = [(room, path) for room in ROOMS for path in files(room)]


@pytest.mark.parametrize(
    ("room", "path"), EVERY_FILE, ids=[str(path.relative_to(ROOT)) for _, path in EVERY_FILE]
)
def test_a_file_imports_only_its_own_floor_or_below(room: str, path: Path) -> None:
    names = imported(path.read_text())
    for name in names:
        target = room_of(name)
        if target is None:
            continue
        where = f"{path.relative_to(ROOT)} ({room}) imports {name} ({target})"
        assert FLOOR[target] <= FLOOR[room], where
    roots = {name.split(".")[0] for name in names}
    assert not roots & {"rclpy", "rclcpp", "ament_index_python"}, "the library never imports ROS"
    assert not roots & (set(ROOMS) - {"daytwo"}), "import rooms as daytwo.<room>: one name each"


def reachable(start: set[str]) -> set[str]:
    """Return every module name reachable from our modules `start`, through our own files."""
    seen: set[str] = set()
    todo = set(start)
    while todo:
        name = todo.pop()
        seen.add(name)
        path = ROOT.joinpath(*name.split("."))
        source = path.with_suffix(".py") if path.with_suffix(".py").exists() else None
        source = source or (path / "__init__.py" if (path / "__init__.py").exists() else None)
        if source is not None and name.split(".")[0] == "daytwo":
            todo |= imported(source.read_text()) - seen
    return seen


@pytest.mark.parametrize("room", ["memory", "policies"])
def test_memory_and_policies_live_without_mujoco(room: str) -> None:
    assert files(room), f"{room}/ holds no files: nothing was tested"
    modules = {
        ".".join(("daytwo", *path.relative_to(ROOT).with_suffix("").parts)) for path in files(room)
    }
    found = reachable(modules)
    forbidden = {
        name
        for name in found
        if name.split(".")[0] in {"mujoco", "pybullet"} or name.startswith("daytwo.sim")
    }
    assert not forbidden, f"{room}/ reaches {sorted(forbidden)}"


def test_the_checker_sees_an_upward_import() -> None:
    names = imported("def f():\n    from daytwo.policies.learner import Learner\n")
    assert {room_of(name) for name in names} == {"policies"}
    assert FLOOR["policies"] > FLOOR["sim"]
    assert room_of("daytwo.errors") is None
