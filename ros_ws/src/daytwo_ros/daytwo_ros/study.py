"""The command `daytwo` in a process that ends with the one that started it: a night, a study."""

from __future__ import annotations

from daytwo_ros.alive import end_with_parent

GRACE = 20.0  # [s] to save what was learnt; what is killed goes on where it was saved last


def main() -> None:
    """Run the command line."""
    end_with_parent(GRACE)
    from daytwo.cli import main as daytwo

    daytwo()


if __name__ == "__main__":
    main()
