"""The network-on-chip: what travels, and how long a tick takes."""
