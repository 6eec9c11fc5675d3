"""What the plots' axes carry; not how they look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from daytwo.adapting import over_tasks, success_at
from daytwo.beliefs import Beliefs
from daytwo.errors import InputError
from daytwo.trial_plots import LEVELS, SHOWN, belief_and_truth, calibration, save, success_curves


def outcomes(*rates: float, m: int = 20) -> np.ndarray:
    return np.stack([np.arange(m) < round(rate * m) for rate in rates], axis=1)


def curves(tasks: tuple[str, ...] = ("push", "insert")) -> tuple[dict[str, Any], dict[str, Any]]:
    rising = np.concatenate([outcomes(0.5, 0.6, 0.7, 0.8, 0.9)] * len(tasks))
    none = np.zeros_like(rising)
    none[:20] = True  # of the first task all succeed
    by_who = {"carried": rising, "blind": none}
    task = np.repeat(np.arange(len(tasks)), 20)
    rates = {who: success_at(won, task, tasks) for who, won in by_who.items()}
    return rates, {who: over_tasks(won) for who, won in by_who.items()}


def panels(figure: Figure) -> dict[str, Any]:
    return {a.get_title(loc="left"): a for a in figure.axes if a.get_visible()}


def lines(axes: Any) -> dict[str, Any]:
    """By who acted: the means, and the ends of their intervals (5, 2)."""
    found = {}
    for each in axes.containers:
        _, _, (bars,) = each.lines
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        found[each.get_label().split(":")[0]] = (each.lines[0].get_ydata(), ends)
    return found


def test_a_panel_a_task_and_one_of_all_with_the_same_axis() -> None:
    rates, over = curves()
    figure = success_curves(rates, over, "20 trials a task")
    found = panels(figure)
    assert list(found) == ["all studied tasks", "push", "insert"]
    for axes in found.values():
        low, high = axes.get_ylim()
        assert -0.05 < low <= 0
        assert 1 <= high < 1.05
        assert list(axes.get_xticks()) == [1, 2, 3, 4, 5]
    insert = lines(found["insert"])
    mean, ends = insert["carried"]
    np.testing.assert_allclose(mean, [0.5, 0.6, 0.7, 0.8, 0.9])
    told = [[rate["low"], rate["high"]] for rate in rates["carried"]["insert"]]
    np.testing.assert_allclose(ends, told)
    np.testing.assert_allclose(insert["blind"][0], 0)
    np.testing.assert_allclose(lines(found["push"])["blind"][0], 1)
    np.testing.assert_allclose(lines(found["all studied tasks"])["blind"][0], 0.5)
    assert "20 trials a task" in figure.get_supxlabel()
    plt.close(figure)


def test_one_task_needs_no_panel_of_all() -> None:
    figure = success_curves(*curves(("push",)), "")
    assert list(panels(figure)) == ["push"]
    plt.close(figure)


@pytest.fixture
def beliefs() -> Beliefs:
    rng = np.random.default_rng(0)
    truth = rng.uniform(-1, 1, (100, 2))
    spread = np.full((100, 5, 2), 0.25)
    mean = np.stack([0 * truth, 0 * truth, truth, truth, truth + 0.1], axis=1)
    middle, half = np.array([0.0, 1.0]), np.array([0.004, 0.5])
    return Beliefs(("camera_x", "friction"), middle, half, truth, mean, spread)


def test_beliefs_stand_against_truth_in_units_for_people(beliefs: Beliefs) -> None:
    figure = belief_and_truth(beliefs, "100 trials")
    found = panels(figure)
    assert list(found) == [
        f"{name}\nafter attempt {k}"
        for name in ("camera x [mm]", "friction [× nominal]")
        for k in (1, 5)
    ]
    first, last = (
        found[f"camera x [mm]\nafter attempt {k}"].containers[0].lines[0] for k in (1, 5)
    )
    assert len(first.get_xdata()) == SHOWN, "more hide each other"
    np.testing.assert_allclose(first.get_ydata(), 0)
    np.testing.assert_allclose(last.get_ydata(), last.get_xdata() + 0.4)
    assert np.abs(last.get_xdata()).max() == pytest.approx(4, abs=0.2)
    _, _, (bars,) = found["friction [× nominal]\nafter attempt 5"].containers[0].lines
    assert np.ptp(bars.get_segments()[0][:, 1]) == pytest.approx(2 * 0.25 * 0.5)
    plt.close(figure)


def test_the_calibration_curve_is_the_coverage(beliefs: Beliefs) -> None:
    figure = calibration(beliefs, "")
    (axes,) = figure.axes
    drawn = {line.get_label(): line for line in axes.lines}
    np.testing.assert_array_equal(drawn["calibrated"].get_xdata(), drawn["calibrated"].get_ydata())
    for k in (1, 5):
        line = drawn[f"after attempt {k}"]
        np.testing.assert_array_equal(line.get_xdata(), LEVELS)
        np.testing.assert_allclose(line.get_ydata(), [beliefs.covered(x, k) for x in LEVELS])
    assert drawn["after attempt 5"].get_ydata()[-1] == 1
    plt.close(figure)


def test_a_plot_is_written_whole_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "new" / "plot.png"
    save(success_curves(*curves(), ""), path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(InputError, match="cannot write the plot"):
        save(success_curves(*curves(), ""), path / "below.png")
    assert not plt.get_fignums()
