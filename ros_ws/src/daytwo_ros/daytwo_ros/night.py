"""`daytwo consolidate` in a process that ends with the node that started it."""

from __future__ import annotations

from daytwo_ros.alive import end_with_parent

GRACE = 5.0  # [s] to save the night; one that is killed begins again where it was saved last


def main() -> None:
    """Run the command line."""
    end_with_parent(GRACE)
    from daytwo.cli import main as daytwo

    daytwo()


if __name__ == "__main__":
    main()
