"""The one error a user can cause: every module may import this file, and it imports nothing."""


class InputError(ValueError):
    """Something the user gave is wrong.

    The message names the field or file, what was found and what would have been accepted.
    The command line prints it alone and exits with code 2.
    """


class DriverError(RuntimeError):
    """An arm does not do its part: it is silent, unplugged or in a fault."""
