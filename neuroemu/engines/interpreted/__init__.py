"""Engines `python` and `event`: a core's programs as plain Python."""
