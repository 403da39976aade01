"""Engine `cpu`: the kernel that is written for a network, and compiled by Numba."""
