"""Arm drivers: one file an arm family, one contract for all (`hardware/driver.py`)."""
