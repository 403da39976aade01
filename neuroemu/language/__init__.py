"""The firmware language: read, checked, proved, run."""
