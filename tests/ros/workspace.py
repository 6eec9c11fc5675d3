"""Where things are."""

from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INSTALL = ROOT / "ros_ws" / "install"


def node_command(node: str, config: Path | None = None, **parameters: object) -> list[str]:
    """What starts one of our nodes, with parameters beside a parameter file's."""
    from daytwo_ros.graph import command

    return command(INSTALL, node, config, parameters)
