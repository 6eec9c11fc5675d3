"""What `daytwo doctor` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `missing` stops something from working, `note` does not."""

    what: str
    state: Literal["ok", "note", "missing"]
    found: str
    mend: str = ""
