"""A trial's diary that is kept and learnt from by other nodes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import uuid4

from rclpy.node import Node
from rclpy.task import Future

from daytwo.deploy import Trial, seed_of, trace_of
from daytwo.errors import InputError
from daytwo.hardware.cell import Attempt
from daytwo.memory.parcel import seal_record
from daytwo.memory.record import Record
from daytwo.parcels import (
    Ended,
    seal_begin,
    seal_belief,
    seal_end,
    seal_trace,
    unseal_belief,
)
from daytwo.sim.belief import Belief
from daytwo_msgs.srv import Keep, Learn
from daytwo_ros.asking import NoAnswer, ask, ask_again, checked, done_within, servers

KEEP = 10.0  # [s] a record may take to the disk
FORGET = 3  # times the patience with a learner, until one that owes an answer is asked again


class RosDiary:
    """Hands attempts to a `memory_recorder` and a `learner`; called beside the executor's thread.

    An attempt that is not kept ends the trial. One that is not learnt from does not: what was
    believed before it goes on to hold.

    Args:
        node: through which to call.
        recorder, learner: those nodes' names.
        learn_timeout: the learner may take to answer [s]. One that still owes an answer is not
            waited for again until FORGET times as long after the question: an answer may be lost,
            too. What one that is gone owed is forgotten at once.
    """

    def __init__(
        self, node: Node, recorder: str, learner: str, learn_timeout: float = 30.0
    ) -> None:
        self._node, self._log, self._patience = node, node.get_logger(), learn_timeout
        self._recorder = node.create_client(Keep, f"{recorder}/keep")
        self._learner = node.create_client(Learn, f"{learner}/learn")
        self._owed: Future | None = None
        self._asked_at = 0.0  # [s]
        self._asked: frozenset[bytes] = frozenset()  # who was there then
        self._begun = False  # the recorder has the memory open for a trial of ours

    def begin(self) -> None:
        """Open the memory for a trial.

        Raises:
            InputError: somebody else writes to it, or there is none.
            NoAnswer: there is no recorder.
        """
        ask_again(self._recorder, Keep.Request(parcel=seal_begin(uuid4().hex)), KEEP)
        self._begun = True

    def learn(self, trial: Trial, record: Record, tried: Attempt, belief: Belief) -> Belief:
        self._keep(seal_record(record))
        try:
            belief = self._learnt(trial, record, tried, belief)
        except (NoAnswer, InputError) as error:
            self._log.warning(f"attempt {record.attempt} is kept, not learnt from: {error}")
        self._keep(seal_belief(belief, trial.driver))
        return belief

    def end(self, trial: Trial, records: Sequence[Record], belief: Belief) -> None:
        """Note the trial in its skill; the recorder has its records and its belief."""
        self._close(Ended(trial.task, trial.number, trial.version, trial.driver))

    def close(self) -> None:
        """Let the memory go, if nothing was attempted; more than once does no harm."""
        self._close(None)

    def _close(self, ended: Ended | None) -> None:
        if self._begun:
            self._begun = False
            self._keep(seal_end(ended))

    def _keep(self, parcel: bytes) -> None:
        try:
            ask(self._recorder, Keep.Request(parcel=parcel), KEEP)
        except NoAnswer:
            # It is not waited for again; if it only was slow, it does close the memory.
            self._begun = False
            self._recorder.call_async(Keep.Request(parcel=seal_end(None)))
            raise

    def _learnt(self, trial: Trial, record: Record, tried: Attempt, belief: Belief) -> Belief:
        now, there = time.monotonic(), servers(self._node, self._learner)
        if self._owed is not None:
            forgotten = now - self._asked_at > FORGET * self._patience
            if self._owed.done() or forgotten or there != self._asked:
                self._learner.remove_pending_request(self._owed)
                self._owed = None
        if not self._learner.service_is_ready():
            raise NoAnswer(f"nobody serves {self._learner.srv_name}")
        if self._owed is not None:
            raise NoAnswer("the learner has not answered an earlier question yet")
        self._asked_at, self._asked = now, there
        self._owed = self._learner.call_async(
            Learn.Request(
                arm=trial.arm.name,
                trace=seal_trace(trace_of(tried)),
                belief=seal_belief(belief),
                seed=seed_of(trial, record),
            )
        )
        if not done_within(self._owed, self._patience):
            raise NoAnswer(f"the learner did not answer within {self._patience:g} s")
        return unseal_belief(bytes(checked(self._owed.result()).belief))[0]
