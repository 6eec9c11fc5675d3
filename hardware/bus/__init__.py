"""Serial transport and servo protocols."""
