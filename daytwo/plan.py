"""What decides a study: textbook, arm and seed; and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from pydantic import ValidationError

from daytwo.curricula.textbook import Textbook
from daytwo.errors import InputError
from daytwo.policies.config import LearnerConfig
from daytwo.sim.observation import FINE


@dataclass(frozen=True)
class Plan:
    """The same plan takes the same steps on any machine; only how many depends on the time."""

    textbook: Textbook
    arm: str  # name, or path of an arm.yaml
    seed: int
    minutes: float  # [min] of wall time, all stretches of a run together

    def settings(self) -> dict[str, Any]:
        """Return plain JSON values; the seed stands beside them in run.json."""
        return {
            "textbook": self.textbook.model_dump(mode="json"),
            "arm": self.arm,
            "minutes": self.minutes,
        }

    @classmethod
    def of(cls, run: dict[str, Any]) -> Plan:
        """Return the plan that stands in a run.json.

        Raises:
            InputError: it was written by a version with other textbooks.
        """
        settings = run["settings"]
        try:
            book = Textbook.model_validate(settings["textbook"])
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(
                f"run.json: settings.textbook.{where}: {first['msg']}; "
                "the run was made by another version of daytwo"
            ) from error
        return cls(book, settings["arm"], run["seed"], settings["minutes"])

    def must_continue(self, begun: Plan) -> None:
        """Check that a run begun with another plan can go on with this one.

        Only the time may differ.

        Raises:
            InputError: something else does; names it.
        """
        pairs = {
            "textbook": (self.textbook.name, begun.textbook.name),
            "arm": (self.arm, begun.arm),
            "seed": (self.seed, begun.seed),
        }
        for name, (mine, theirs) in pairs.items():
            if mine != theirs:
                raise InputError(
                    f"--resume: the run was begun with {name} {theirs}, found {mine}; "
                    f"give {theirs}, or another folder with --run"
                )
        same = {"budget", "probe"}  # may be changed on the way: they do not change what is learnt
        if self.textbook.model_dump(exclude=same) != begun.textbook.model_dump(exclude=same):
            raise InputError(
                f"--resume: textbook {self.textbook.name} has changed since the run was begun; "
                "undo that, or start another folder with --run"
            )


def settings_for(textbook: Textbook, secret: int) -> LearnerConfig:
    """The learner's settings for a textbook, of whose observations only critics see the last
    `secret` elements.

    Raises:
        InputError: the textbook names a setting that there is not, or one out of its range.
    """
    known = {field.name for field in fields(LearnerConfig)} - {"secret", "fine"}
    if unknown := sorted(set(textbook.learner) - known):
        raise InputError(
            f"textbook {textbook.name}: learner: there is no setting '{unknown[0]}'; "
            f"there are {', '.join(sorted(known))}"
        )
    fine = FINE if textbook.fine else ()
    try:
        return LearnerConfig(secret=secret, fine=fine, **textbook.learner)  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(f"textbook {textbook.name}: learner: {error}") from error
