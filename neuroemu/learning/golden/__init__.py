"""Float golden models of learning rules, in plain NumPy and off the chip: what the integer programs are held against.

Weights have shape (n_pre, n_post), times are seconds, potentials and thresholds share one free unit. Nothing here rounds.
"""
