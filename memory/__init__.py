"""What persists: episodes, replay and checkpoints. Needs neither MuJoCo nor torch to be read."""
