"""A memory that attempts come to from another process, sealed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from daytwo import skilled
from daytwo.errors import InputError
from daytwo.keep import Keep, opened
from daytwo.memory.parcel import kind_of, unseal_record
from daytwo.memory.shrink import shrink
from daytwo.parcels import Ended, unseal_begin, unseal_belief, unseal_end
from daytwo.sim.belief import Belief


class Archive:
    """Keeps what is handed to it; the memory is open for writing during a trial alone.

    Between trials it may be consolidated. The kinds of parcels: "begin" opens the memory, "record"
    and "belief" keep one, "end" notes the trial in its task's skill and closes the memory. What
    comes without a "begin" opens it, too: so a trial goes on after this process was started anew.

    Args:
        folder: of the memory; looked at when the first trial begins.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: ExitStack | None = None
        self._keep: Keep | None = None
        self._name = ""  # of the trial under way, as its "begin" said
        self._trial: Ended | None = None  # of the records that came, not noted yet
        self._noted = (0, 0)  # a trial, and how many of its attempts its skill knows

    @property
    def open(self) -> bool:
        """Whether a trial is under way."""
        return self._keep is not None

    def take(self, parcel: bytes) -> None:
        """Keep what a parcel holds; when this returns, it is on the disk for good.

        Raises:
            InputError: it is none of the kinds, does not belong into this memory, or cannot be
                written; nothing is changed then.
        """
        match kind := kind_of(parcel):
            case "begin":
                name = unseal_begin(parcel)
                if self.open and name == self._name:
                    return  # asked again by who did not hear the answer
                self.close()  # of a trial whose end nobody told
                self._opened()
                self._name = name
            case "record":
                record = unseal_record(parcel)
                self._opened().store.append(record)
                self._trial = Ended(record.episode.task, record.trial, record.policy, record.driver)
            case "belief":
                belief, driver = unseal_belief(parcel)
                self._opened().put_belief(driver, belief)
            case "end":
                self._trial = unseal_end(parcel) or self._trial
                self.close()
            case _:
                raise InputError(f"parcel: holds a {kind}; nothing that a memory keeps")

    def close(self) -> None:
        """Note the trial under way, if any, as one that is over, and let go of the memory.

        Raises:
            InputError: it could not be noted; its attempts are kept all the same.
        """
        trial, self._trial = self._trial, None
        try:
            if trial is not None:
                self._note(trial)
        finally:
            if self._open is not None:
                self._open.close()
            self._open = self._keep = None

    def _opened(self) -> Keep:
        if self._keep is None:
            with ExitStack() as stack:
                self._keep = stack.enter_context(opened(self.folder, write=True))
                self._open = stack.pop_all()
        return self._keep

    def _note(self, trial: Ended) -> None:
        keep = self._opened()
        made = list(keep.store.records(trial=trial.number, day=keep.day))
        known = self._noted[1] if self._noted[0] == trial.number else 0
        if made[known:]:
            belief = keep.belief(trial.driver) or Belief.prior()
            skilled.practised(keep, trial.task, made[known:], belief, trial.version)
        self._noted = trial.number, len(made)
        shrink(keep.store)
