"""Robot arms that never have a first day twice."""

__version__ = "0.1.0"
