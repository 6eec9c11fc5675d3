from pathlib import Path

import daytwo.doctor
from daytwo.doctor import Finding, examine, pinned
from daytwo.machine import ROOT, version


def test_pins_are_read_whatever_their_spelling(tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text("# tested\nStable_Baselines3==2.9.2  # why\nmarkupsafe==3.0.4\n\n")
    assert pinned(path) == {"stable-baselines3": "2.9.2", "markupsafe": "3.0.4"}
    assert pinned(tmp_path / "none.txt") == {}


def test_looks_at_everything_and_mends_what_it_finds() -> None:
    findings = list(examine())
    assert {"Python", "drawing", "disk", "memory", "GPU"} <= {f.what for f in findings}
    for finding in findings:
        assert bool(finding.mend) == (finding.state == "missing") or finding.state == "note"


def test_a_missing_package_gets_the_command_that_installs_the_tested_version(
    monkeypatch,
) -> None:
    there = version
    monkeypatch.setattr(
        daytwo.doctor, "version", lambda name: None if name == "jinja2" else there(name)
    )
    finding = next(f for f in daytwo.doctor._packages() if "jinja2" in f.what)
    pin = pinned(ROOT / "constraints.txt")["jinja2"]
    assert finding == Finding(
        "package jinja2", "missing", "not installed", f"pip install jinja2=={pin}"
    )


def test_another_version_than_the_tested_is_noted(monkeypatch) -> None:
    there = version
    monkeypatch.setattr(
        daytwo.doctor, "version", lambda name: "0.1" if name == "numpy" else there(name)
    )
    finding = next(f for f in daytwo.doctor._packages() if f.what == "versions")
    assert finding.state == "note"
    assert "numpy 0.1 (tested" in finding.found
    assert finding.mend == "make setup"
