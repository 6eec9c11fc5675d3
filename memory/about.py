"""What a memory belongs to, and the first difference from what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any


@dataclass(frozen=True)
class About:
    """What a memory belongs to: episodes of another arm or layout do not go into it."""

    arm: str
    observation: tuple[tuple[str, int], ...]  # names and sizes, in order
    action: tuple[str, ...]

    @classmethod
    def of(cls, value: dict[str, Any]) -> About:
        """From plain JSON values, as `dataclasses.asdict` gives them."""
        observation = tuple((str(name), int(size)) for name, size in value["observation"])
        return cls(value["arm"], observation, tuple(value["action"]))

    @property
    def observations(self) -> int:
        """Elements of an observation."""
        return sum(size for _, size in self.observation)

    def difference(self, other: About) -> str | None:
        """The first thing that `other` wants otherwise, in words; None if all is the same."""
        if other.arm != self.arm:
            return f"arm is {self.arm!r}, not {other.arm!r}"
        for what in ("observation", "action"):
            mine, wanted = getattr(self, what), getattr(other, what)
            for i, (a, b) in enumerate(zip_longest(mine, wanted)):
                if b is None:
                    return f"it also has {what}[{i}], {_words(a)}"
                if a is None:
                    return f"it has no {what}[{i}], {_words(b)}"
                if a != b:
                    return f"{what}[{i}] is {_words(a)}, not {_words(b)}"
        return None


def _words(part: object) -> str:
    return f"{part[0]!r} of {part[1]}" if isinstance(part, tuple) else repr(part)
