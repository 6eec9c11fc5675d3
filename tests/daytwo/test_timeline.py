"""A person reads what happened, in order, and nothing that is not known."""

from pathlib import Path

from made_up_days import MadeUp, made_up

from daytwo.nights import acted, filed
from daytwo.timeline import timeline


def told(days: MadeUp) -> list[tuple[str, str]]:
    nights = filed(days.keep)
    moments = timeline(days.keep, days.keep.store.find(), nights, acted(days.keep, nights))
    return [(moment.kind, moment.text) for moment in moments]


def test_a_sentence_a_trial_and_a_night(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190, pick=180)
        days.attempts("pick", "01111", "twin", day=1, trial=1, off=0.017)
        days.attempts("reach", "11", "twin", day=1, trial=2, off=0.017)
        days.believe(off=0.017, spread=0.003)
        days.night(reach=190, pick=185)
        days.attempts("pick", "0", "twin", day=2, trial=3, off=0.0)
        days.believe(off=0.016, spread=0.002)
        days.night(reach=100, pick=190)
        assert told(days) == [
            (
                "study",
                "Study in simulation: 8 worked examples were shown, and of 8 attempts of its own "
                "6 succeeded; then version 000001 acted.",
            ),
            (
                "trial",
                "Day 1, trial 1: 5 attempts at pick through the twin, 4 succeeded; before its last "
                "attempt the camera was believed to be 17 mm off.",
            ),
            (
                "trial",
                "Day 1, trial 2: 2 attempts at reach through the twin, both succeeded; before its "
                "last attempt the camera was believed to be 17 mm off.",
            ),
            ("night", "Night 1: version 000002 acts: no exam fell beyond its interval."),
            (
                "trial",
                "Day 2, trial 3: 1 attempt at pick through the twin, it failed; after it the "
                "camera was believed to be 16 mm off (±2 mm).",
            ),
            (
                "refused",
                "Night 2: version 000003 does not act, 000002 stays: reach fell from 95.0% (at "
                "least 91.0% was asked) to 50.0%.",
            ),
        ]


def test_what_was_believed_is_not_made_up(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.attempts("pick", "0", "twin", day=1, trial=1)
        assert told(days) == [
            ("trial", "Day 1, trial 1: 1 attempt at pick through the twin, it failed.")
        ]


def test_a_belief_of_another_driver_or_day_is_not_this_trials(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.believe(off=0.016, spread=0.002)  # on day 1
        days.attempts("pick", "000", "twin", day=2, trial=1, off=0.005)
        days.attempts("pick", "111", "another", day=1, trial=2, off=0.008)
        another, twin = (text for _, text in told(days))
    assert another.endswith("all succeeded; before its last attempt the camera was believed to be "
                            "8 mm off.")  # fmt: skip
    assert twin.endswith("none succeeded; before its last attempt the camera was believed to be "
                         "5 mm off.")  # fmt: skip


def test_a_version_that_was_brought_back_is_told(tmp_path: Path) -> None:
    with made_up(tmp_path) as days:
        days.study(reach=190, pick=180)
        days.night(reach=195, pick=185)
        days.keep.versions.rollback()
        assert told(days)[-1] == ("refused", "Then version 000001 was brought back.")
