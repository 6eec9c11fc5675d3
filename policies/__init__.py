"""Networks, the learner and its baselines."""
