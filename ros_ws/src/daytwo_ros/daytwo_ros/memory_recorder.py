"""The node that keeps a robot's memory: whatever was answered with ok is on the disk for good."""

from __future__ import annotations

from pathlib import Path

from rclpy.node import Node

from daytwo.archive import Archive
from daytwo.errors import InputError
from daytwo_msgs.srv import Keep
from daytwo_ros.run import run
from daytwo_ros.stamps import every

LOOK = 1.0  # [s] from one look at whether anybody is left to the next


class MemoryRecorder(Node):
    """Serves `~/keep`. The memory is open for writing while a trial is under way, not longer.

    Parameters: memory, its folder.
    """

    def __init__(self) -> None:
        super().__init__("memory_recorder")
        folder = self.declare_parameter("memory", "daytwo-memory").value
        self._archive = Archive(Path(folder))
        self._service = self.create_service(Keep, "~/keep", self._keep)
        every(self, LOOK, self._look)

    def _keep(self, request: Keep.Request, response: Keep.Response) -> Keep.Response:
        try:
            self._archive.take(bytes(request.parcel))
            response.ok = True
        except InputError as error:
            self.get_logger().error(f"not kept: {error}")
            response.message = str(error)
        return response

    def _look(self) -> None:
        """Close a trial of which nobody is left to tell the end."""
        if self._archive.open and self.count_clients(self._service.srv_name) == 0:
            self.get_logger().warning("who ran the trial is gone; what was kept of it stays")
            self._close()

    def _close(self) -> None:
        try:
            self._archive.close()
        except InputError as error:
            self.get_logger().error(f"the trial is not noted in its skill: {error}")

    def destroy_node(self) -> None:
        self._close()
        super().destroy_node()


def main() -> None:
    run(MemoryRecorder)
