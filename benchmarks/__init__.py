"""Measured figures, each reached by `daytwo bench NAME --json`."""
