"""What tests say to an `arm_driver`, and hear from it, in the plain messages."""

import threading
import time
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from workspace import INSTALL

from daytwo.sim.arms import Arm
from daytwo_msgs.msg import ArmCommand, GovernorState
from daytwo_msgs.srv import TakeArm
from daytwo_ros.qos import COMMAND, REPORT, STATE
from daytwo_ros.stamps import nanoseconds

LIMIT = 15.0  # [s] nothing takes longer, however busy the machine is
MEET = 0.2  # [s] from when a service is seen until it has surely seen its client, too
AGAIN = 4.0  # [s] until what may be asked twice is asked again
LEADS_TO = {
    Transition.TRANSITION_CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_ACTIVATE: State.PRIMARY_STATE_ACTIVE,
    Transition.TRANSITION_DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
    Transition.TRANSITION_CLEANUP: State.PRIMARY_STATE_UNCONFIGURED,
}


def executable(name: str, namespace: str, **parameters: object) -> list[str]:
    """The command that starts a node of the built workspace."""
    given = [part for key, value in parameters.items() for part in ("-p", f"{key}:={value}")]
    path = str(INSTALL / "lib" / "daytwo_ros" / name)
    return [path, "--ros-args", "-r", f"__ns:={namespace}", *given]


def until(condition: Callable[[], bool], what: str, limit: float = LIMIT) -> None:
    """Wait for what another thread hears."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"waited {limit} s for: {what}"
        time.sleep(0.005)


class DriverClient:
    """Hears all that an `arm_driver` tells; `node` is spun by a thread."""

    def __init__(self, node: Node, namespace: str, arm: Arm) -> None:
        self.node, self.arm, name = node, arm, f"{namespace}/arm_driver"
        self.states: list[GovernorState] = []
        self.joints: list[JointState] = []
        self.diagnoses: list[DiagnosticStatus] = []
        self.full_name = name
        node.create_subscription(GovernorState, f"{name}/governor", self.states.append, REPORT)
        node.create_subscription(JointState, f"{namespace}/joint_states", self.joints.append, STATE)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnosis, REPORT)
        self.commands = node.create_publisher(ArmCommand, f"{name}/command", COMMAND)
        self._clients = {
            each: node.create_client(kind, f"{name}/{each}")
            for each, kind in (
                ("take", TakeArm),
                ("stop", Trigger),
                ("reset", Trigger),
                ("change_state", ChangeState),
                ("get_state", GetState),
            )
        }
        self._sequence = 0
        self._met: set[str] = set()  # services that were called before

    def _on_diagnosis(self, told: DiagnosticArray) -> None:
        self.diagnoses += [s for s in told.status if s.name == f"{self.full_name}: governor"]

    def ask(self, name: str, request: object):
        """The answer. A node that has not discovered this client yet serves it, and tells nobody:
        what may be asked twice is asked again then, and for the rest it is given time at first.
        """
        end = time.monotonic() + LIMIT
        while (answer := self._answer(name, request, LIMIT if name == "take" else AGAIN)) is None:
            assert time.monotonic() < end, f"no answer from {name}"
        return answer

    def _answer(self, name: str, request: object, limit: float):
        client, done = self._clients[name], threading.Event()
        until(client.service_is_ready, f"service {name}")
        if name not in self._met:
            self._met.add(name)
            time.sleep(MEET)
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        return future.result() if done.wait(limit) else None

    def change(self, transition: int) -> bool:
        """Whether the transition was made; asked again where it was not, and nobody said so."""
        request = ChangeState.Request(transition=Transition(id=transition))
        end = time.monotonic() + LIMIT
        while (answer := self._answer("change_state", request, AGAIN)) is None:
            if self.lifecycle() == LEADS_TO[transition]:
                return True
            assert time.monotonic() < end, "no answer from change_state"
        return answer.success

    def lifecycle(self) -> int:
        return self.ask("get_state", GetState.Request()).current_state.id

    def trigger(self, name: str):
        return self.ask(name, Trigger.Request())

    def take(self):
        until(lambda: self.commands.get_subscription_count() > 0, "its subscription")
        return self.ask("take", TakeArm.Request())

    def release(self, session: int):
        return self.ask("take", TakeArm.Request(release=True, session=session))

    def command(self, session: int, q: list[float], gripper: float = 1.0, /, **change) -> None:
        self._sequence += 1
        told = ArmCommand(session=session, sequence=self._sequence, gripper=gripper)
        told.names, told.positions = list(self.arm.joints), [float(x) for x in q]
        told.header.stamp = self.node.get_clock().now().to_msg()
        for name, value in change.items():
            setattr(told, name, value)
        self.commands.publish(told)

    def drive(self, session: int, q: list[float], seconds: float, gripper: float = 1.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.command(session, q, gripper)
            time.sleep(0.03)

    def _since(self, told: list, when: int) -> list:
        """What was stamped at `when` [ns] or later."""
        return [each for each in told[-1000:] if nanoseconds(each.header.stamp) >= when]

    def now(self) -> int:
        return self.node.get_clock().now().nanoseconds

    @property
    def state(self) -> GovernorState:
        """One that is decided from now on."""
        now = self.now()
        until(lambda: bool(self._since(self.states, now)), "a state")
        return self._since(self.states, now)[0]

    def wait(self, state: str, reason: str = "", limit: float = LIMIT) -> GovernorState:
        """The first state of that kind, for that reason, that is decided from now on."""
        now = self.now()

        def found() -> list[GovernorState]:
            since = self._since(self.states, now)
            return [s for s in since if s.state == state and reason in s.reason]

        until(lambda: bool(found()), f"state {state} {reason}", limit)
        return found()[0]

    def refused(self, why: str, *command, **change) -> list[GovernorState]:
        """Command until it is refused for that reason; every state since then."""
        since, sent = self.now(), time.monotonic()
        self.command(*command, **change)

        def told() -> bool:
            nonlocal sent
            if time.monotonic() - sent > 0.3:  # the first one came too late to be heard
                sent = time.monotonic()
                self.command(*command, **change)
            return any(why in s.refused for s in self._since(self.states, since))

        until(told, f"refused: {why}")
        return self._since(self.states, since)

    def measured(self) -> dict[str, float]:
        """Joint positions by name that are measured from now on."""
        now = self.now()
        until(lambda: bool(self._since(self.joints, now)), "joint states")
        last = self.joints[-1]
        return dict(zip(last.name, last.position, strict=True))

    def diagnosis(self) -> tuple[DiagnosticStatus, dict[str, str]]:
        """The next one."""
        told = len(self.diagnoses)
        until(lambda: len(self.diagnoses) > told, "diagnostics")
        last = self.diagnoses[-1]
        return last, {pair.key: pair.value for pair in last.values}
