"""Single-exponential variant of sfdfa.py, for cores that act on input only (Bacho's NO-ALPHA kernel).

    m(t) = m(t-1) - (m(t-1) >> k) + drive * 2^scale;  a spike if m >= threshold, then m = 0

The original compares on input events only. With a threshold above 0 that is the same: without input m never grows past it.
k = 6 is near the original's 50 ms at a tick of 1 ms.
"""
from neuroemu.isa import Param, Port, State, shift_floor, shift_left


def soma(m: State(24), drive: Port, k: Param(1, 30, init=6), scale: Param(0, 16, init=6), threshold: Param(1, 8388607)):
    m = m - shift_floor(m, k) + shift_left(drive, scale)
    spike = 1 if m >= threshold else 0
    m = 0 if spike else m
    return m, spike
