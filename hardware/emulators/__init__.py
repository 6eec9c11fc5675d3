"""What stands in for a real arm on the wire: controllers and servos, emulated.

Each emulator speaks its family's protocol to whoever connects and moves a plant, an `ArmDriver`
such as `LagArm` or the twin. It keeps every goal it received, so that tests judge what came out of
the wire and not what was meant to go in.
"""
