"""Looking into a chip, a network or a run."""
