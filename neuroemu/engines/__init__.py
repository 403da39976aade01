"""Image and stimulus in, run out: every engine with the same bits."""
