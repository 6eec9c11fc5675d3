"""Arm drivers behind one contract, and the cell they work in."""
