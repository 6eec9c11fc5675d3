"""The node that learns: between attempts from what an attempt showed, overnight from the day.

A process of its own that gives way to others: it moves no arm, and no arm waits for it in time
that counts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from daytwo.errors import InputError
from daytwo.parcels import seal_belief, unseal_belief, unseal_trace
from daytwo.sim.arms import load_arm
from daytwo.sim.belief import GUESSES
from daytwo.sim.identify import Identifier
from daytwo_msgs.srv import Consolidate, Learn
from daytwo_ros.alive import PARENT
from daytwo_ros.asking import beside
from daytwo_ros.run import run

NICE = 10  # steps behind what moves an arm
END = 10.0  # [s] a night is given to save itself


class LearnerNode(Node):
    """Serves `~/learn` and `~/consolidate`, both beside the thread that answers.

    Parameters: arm, its name or the path of its arm.yaml; memory, the folder that is consolidated;
    guesses, at the hidden context that are simulated at once.
    """

    def __init__(self) -> None:
        super().__init__("learner")
        self._arm = load_arm(self.declare_parameter("arm", "panda").value)
        self._memory = Path(self.declare_parameter("memory", "daytwo-memory").value)
        guesses = self.declare_parameter("guesses", GUESSES).value
        self._identifier = Identifier(self._arm, guesses)
        self._one = ThreadPoolExecutor(1)  # an identifier's simulations are one batch
        self._night: subprocess.Popen[str] | None = None
        # Else one that is awaited keeps the node from answering anything else.
        group = ReentrantCallbackGroup()
        self.create_service(Learn, "~/learn", self._learn, callback_group=group)
        self.create_service(Consolidate, "~/consolidate", self._consolidate, callback_group=group)

    async def _learn(self, request: Learn.Request, response: Learn.Response) -> Learn.Response:
        try:
            work = self._one.submit(self._learnt, request)
            response.belief = await beside(self, "learn", work.result)
            response.ok = True
        except InputError as error:
            response.message = str(error)
        except Exception as error:  # an attempt that cannot be learnt from ends no trial
            self.get_logger().error(traceback.format_exc())
            response.message = f"{type(error).__name__}: {error}"
        return response

    def _learnt(self, request: Learn.Request) -> bytes:
        if request.arm != self._arm.name:
            raise InputError(f"learn: arm '{request.arm}'; this learner's is '{self._arm.name}'")
        belief, driver = unseal_belief(bytes(request.belief))
        trace = unseal_trace(bytes(request.trace))
        dof = trace.q.shape[-1]
        if dof != len(self._arm.joints):
            raise InputError(f"learn: {dof} joints; arm '{self._arm.name}' has others")
        return seal_belief(self._identifier.update(belief, trace, seed=request.seed), driver)

    async def _consolidate(
        self, request: Consolidate.Request, response: Consolidate.Response
    ) -> Consolidate.Response:
        if self._night is not None:
            response.message = "a night is under way already"
            return response
        updates = ("--updates", str(request.updates)) if request.updates else ()
        self._night = subprocess.Popen(
            [
                *(sys.executable, "-m", "daytwo_ros.study"),
                *("consolidate", "--json", "--memory", str(self._memory), *updates),
            ],
            env=os.environ | {PARENT: str(os.getpid())},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is this node's to hear
        )
        out, said = await beside(self, "night", self._night.communicate)
        code, self._night = self._night.returncode, None
        for line in said.splitlines():
            self.get_logger().info(line)
        response.ok = code == 0
        if response.ok:
            response.night = out.splitlines()[-1]
        else:
            told = said.strip().splitlines() or [f"the night ended with {code}"]
            response.message = told[-1].removeprefix("daytwo: ")
        return response

    def destroy_node(self) -> None:
        if self._night is not None:
            self._night.terminate()  # it saves what it has learnt
            try:
                self._night.wait(END)
            except subprocess.TimeoutExpired:
                self._night.kill()
        self._one.shutdown(wait=False, cancel_futures=True)
        super().destroy_node()


def main() -> None:
    os.nice(NICE)
    run(LearnerNode)
