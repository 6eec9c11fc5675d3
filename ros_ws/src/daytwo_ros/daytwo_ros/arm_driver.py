"""The node `arm_driver`: one arm behind its governor, on ROS 2 topics.

The governor is a process of its own (`daytwo.hardware.guard`), the sole owner of the arm's port;
this node starts it, starts it again if it is lost, and passes on what is said. Nothing here moves
a motor, and the arm comes to rest if this node dies.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from daytwo.errors import DriverError, InputError
from daytwo.hardware.announced import Announcer
from daytwo.hardware.governor import GovernorConfig, State
from daytwo.hardware.guard_process import START, GuardProcess
from daytwo.hardware.hurry import BETWEEN, go_first
from daytwo.hardware.link import NEWS, Link
from daytwo.hardware.opening import check_driver, check_settings
from daytwo.hardware.supervised import Supervisor
from daytwo.sim.arms import Arm, load_arm
from daytwo_msgs.msg import ArmCommand, GovernorState
from daytwo_msgs.srv import TakeArm
from daytwo_ros.diagnosis import diagnosis
from daytwo_ros.joints import Joints
from daytwo_ros.lifecycle import SteadyLifecycleNode
from daytwo_ros.places import governor_socket
from daytwo_ros.qos import COMMAND, REPORT, STATE
from daytwo_ros.run import run
from daytwo_ros.stamps import Clocks, every

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
PARAMETERS: dict[str, tuple[str | bool, str]] = {
    "arm": ("panda", "the arm's name, or the path of its arm.yaml"),
    "driver": ("twin", "name of its driver"),
    "settings": ("{}", "of the driver, as JSON"),
    "override": ("{}", "of the driver's settings, as JSON: those of this run"),
    "socket": ("", "where its governor listens; empty: where object_source looks for it"),
    "memory": ("", "a robot's memory, which keeps the governor's decisions; empty: none does"),
    "log": ("", "file of the governor's decisions; empty: `decisions` in the memory, if any"),
    "autostart": (False, "configure and activate at once, or end with the reason"),
}


class ArmDriverNode(SteadyLifecycleNode):
    """One arm.

    Raises:
        InputError, DriverError: it shall start by itself, and cannot.
    """

    def __init__(self) -> None:
        super().__init__("arm_driver")
        for name, (default, about) in PARAMETERS.items():
            descriptor = ParameterDescriptor(description=about, read_only=True)
            self.declare_parameter(name, default, descriptor)
        self._clocks = Clocks(self.get_clock())
        self._arm: Arm | None = None
        self._supervisor: Supervisor | None = None
        self._announcer: Announcer | None = None  # to who looks on
        self._state: dict[str, Any] | None = None  # the governor's last state
        self._taken = 0  # the governor's session that was given last, 0 if none was
        self._refused = ""  # by this node, since the last state
        self._silent = False  # silence was warned of
        self._why: InputError | DriverError | None = None  # the last transition was refused
        self._joint_states = self.create_publisher(JointState, "joint_states", STATE)
        self._governor = self.create_publisher(GovernorState, "~/governor", REPORT)
        self._description = self.create_publisher(String, "robot_description", LATCHED)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", REPORT)
        events = SubscriptionEventCallbacks(deadline=self._on_silence)
        self.create_subscription(
            ArmCommand, "~/command", self._on_command, COMMAND, event_callbacks=events
        )
        self.create_service(TakeArm, "~/take", self._on_take)
        self.create_service(Trigger, "~/stop", self._on_stop)
        self.create_service(Trigger, "~/reset", self._on_reset)
        every(self, GovernorConfig.period, self._tick)
        every(self, 1.0, self._diagnose)
        if self._value("autostart"):
            for go in (self.trigger_configure, self.trigger_activate):
                if go() != TransitionCallbackReturn.SUCCESS:
                    raise self._why or DriverError("the arm is not active; the log says why")

    # Lifecycle.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self._arm, self._start = self._checked()
        except InputError as error:
            return self._refuse(error)
        self._joints = Joints(self._arm)
        self._description.publish(String(data=self._arm.urdf.read_text(encoding="utf-8")))
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        with ExitStack() as ends:
            try:
                supervisor = Supervisor(self._start)
                ends.callback(supervisor.close)
                supervisor.wait(START)
            except (InputError, DriverError) as error:
                return self._refuse(error)
            ends.pop_all()  # it goes on
        self._supervisor = supervisor
        self._announcer = Announcer(self._socket, self._value("arm"), self._value("driver"))
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._arm = None
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end()
        self._arm = None
        return super().on_error(state)

    def destroy_node(self) -> None:
        self._end()
        super().destroy_node()

    def _refuse(self, error: InputError | DriverError) -> TransitionCallbackReturn:
        """Stay in the state before."""
        self._why = error
        self.get_logger().error(str(error))
        return TransitionCallbackReturn.FAILURE

    def _end(self) -> None:
        """Bring the arm to rest and end the governor's process."""
        if self._announcer is not None:
            self._announcer.close()
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            for told in supervisor.close():
                self._publish(told, supervisor.began)
        self._state = None

    def _checked(self) -> tuple[Arm, Callable[[], GuardProcess]]:
        """The arm, and what starts its governor.

        Raises:
            InputError: a parameter is wrong.
        """
        arm = load_arm(self._value("arm"))
        driver = self._value("driver")
        settings = self._named("settings") | self._named("override")
        check_driver(driver)
        check_settings(driver, arm, settings)
        given = self._value("socket")
        socket = Path(given) if given else governor_socket(self.get_namespace(), arm.name)
        self._socket = socket
        log = self._log()

        def start() -> GuardProcess:
            return GuardProcess(self._value("arm"), driver, settings, log, socket, wait=False)

        return arm, start

    def _log(self) -> Path | None:
        """Where decisions are kept.

        Raises:
            InputError: there is no such memory.
        """
        memory, log = self._value("memory"), self._value("log")
        if log or not memory:
            return Path(log) if log else None
        if not Path(memory).is_dir():
            raise InputError(f"memory {memory}: there is none; begin one: daytwo memory begin RUN")
        return Path(memory, "decisions")

    def _named(self, parameter: str) -> dict[str, Any]:
        """Names and values, from JSON."""
        try:
            named = json.loads(self._value(parameter))
        except json.JSONDecodeError as error:
            raise InputError(f"{parameter}: {error}; give JSON, like {{}}") from error
        if not isinstance(named, dict):
            raise InputError(f"{parameter}: {named!r:.80}; give names and values, like {{}}")
        return named

    # What is told.

    def _tick(self) -> None:
        supervisor = self._supervisor
        if supervisor is None:
            return
        before = supervisor.restarts, supervisor.link
        for told in supervisor.look():
            self._publish(told, supervisor.began)
        if supervisor.restarts != before[0]:
            self._state, self._taken = None, 0
            self.get_logger().error(f"the governor {supervisor.lost}; it is started again")
        elif before[1] is None and supervisor.link is not None:
            self.get_logger().warning("the governor holds the arm again; take it anew")

    def _publish(self, told: dict[str, Any], began: int) -> None:
        self._state = told
        measured = self._joints.message(told, self._clocks)
        if measured is not None:
            self._joint_states.publish(measured)
        state = GovernorState(
            state=told["state"],
            reason=told["reason"],
            refused=told["refused"] or self._refused,
            failure=told["failure"],
            session=began + told["session"],
            sequence=max(told["sequence"], 0),
            leased=told["leased"],
            requested=told["requested"] or [],
            goal=told["goal"],
            sent=told["sent"] or [],
            command_age=math.inf if told["age"] is None else told["age"],
        )
        state.header.stamp = self._clocks.message(told["stamp"])
        self._refused = ""
        self._governor.publish(state)

    def _diagnose(self) -> None:
        name = self.get_fully_qualified_name()
        told = DiagnosticArray(
            status=[diagnosis(name, self._arm, self._supervisor, self._state, bool(self._taken))]
        )
        told.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(told)

    # What is asked for.

    def _on_command(self, command: ArmCommand) -> None:
        supervisor, arm = self._supervisor, self._arm
        if supervisor is None or supervisor.link is None or arm is None:
            return
        self._silent, link = False, supervisor.link
        try:
            if command.stop:
                link.tell({"op": "stop", "reason": "its commander asked to", "latch": False})
            else:
                link.tell(self._message(arm, command, command.session - supervisor.began))
        except (InputError, DriverError) as error:  # a governor that is gone is started again
            self._refused = str(error)

    def _message(self, arm: Arm, command: ArmCommand, session: int) -> dict[str, Any]:
        """A command as the governor's process takes it.

        Raises:
            InputError: it is none for this arm, or of a governor that is gone.
        """
        if not 0 < session < 2**32:
            raise InputError(f"session {command.session} has not the lease")
        return {
            "op": "go",
            "session": session,
            "sequence": command.sequence,
            "stamp": self._clocks.monotonic(command.header.stamp),
            "unit": "rad",
            "names": arm.joints,
            "q": _in_order(arm, command),
            "gripper": command.gripper,
        }

    def _on_silence(self, event: object) -> None:
        told = self._state
        if told is None or self._silent:
            return
        # The governor's own watchdog may have been quicker.
        if told["state"] == State.FOLLOW or told["reason"].startswith("no command"):
            self._silent = True
            self.get_logger().warning("no command in time: the governor stops the arm")

    def _on_take(self, asked: TakeArm.Request, answer: TakeArm.Response) -> TakeArm.Response:
        def do(supervisor: Supervisor, link: Link) -> None:
            if not asked.release:
                self._taken = link.ask({"op": "open"}, within=NEWS)["session"]
                answer.session = supervisor.began + self._taken
            elif asked.session != supervisor.began + self._taken:
                raise InputError(f"session {asked.session} has not the arm")
            else:
                link.tell({"op": "close", "session": self._taken})

        return self._answered(do, answer)

    def _on_stop(self, asked: Trigger.Request, answer: Trigger.Response) -> Trigger.Response:
        supervisor = self._supervisor
        if supervisor is not None and supervisor.link is None:  # it holds, and will be latched
            supervisor.latch("~/stop was called")
            answer.success, answer.message = True, "the governor is started again, and stopped then"
            return answer
        return self._answered(lambda taken, _: taken.latch("~/stop was called"), answer)

    def _on_reset(self, asked: Trigger.Request, answer: Trigger.Response) -> Trigger.Response:
        return self._answered(lambda _, link: link.ask({"op": "reset"}, within=NEWS), answer)

    def _answered(self, do: Callable[[Supervisor, Link], object], answer: Any) -> Any:
        """The answer to a service's request, or why it was refused."""
        supervisor, good = self._supervisor, False
        if supervisor is None:
            answer.message = "arm_driver is not active"
        elif supervisor.link is None:
            answer.message = f"no governor: {supervisor.lost}; it is started again"
        else:
            try:
                do(supervisor, supervisor.link)
                good = True
            except (InputError, DriverError) as error:
                answer.message = str(error)
        setattr(answer, "ok" if isinstance(answer, TakeArm.Response) else "success", good)
        return answer

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value


def _in_order(arm: Arm, command: ArmCommand) -> list[float]:
    """Positions in the arm's order of joints.

    Raises:
        InputError: the names are not the arm's joints, each once, or a number is missing.
    """
    names, positions = list(command.names), list(command.positions)
    if sorted(names) != sorted(arm.joints) or len(positions) != len(names):
        raise InputError(
            f"{len(positions)} positions for {', '.join(names) or 'no joint'}; the arm's joints "
            f"are {', '.join(arm.joints)}"
        )
    at = dict(zip(names, positions, strict=True))
    for name, value in (*at.items(), ("gripper", command.gripper)):
        if not math.isfinite(value):
            raise InputError(f"'{name}' is not finite")
    return [float(at[name]) for name in arm.joints]


def main() -> None:
    """Exit code: 2 where a parameter is wrong, 1 where the arm is not reached."""
    go_first(BETWEEN)  # a command that waits for another process's turn is an old one
    try:
        run(ArmDriverNode)
    except (InputError, DriverError) as error:
        print(f"arm_driver: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
