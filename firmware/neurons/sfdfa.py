"""Current-based leaky integrate-and-fire soma with tau = 2 tau_s, as SFDFA and BATS use it (Bacho 2024, thesis, equation 62).

    m(t) = m(t-1) - (m(t-1) >> k) + w,         decays with tau = 2^k ticks
    g(t) = g(t-1) - (g(t-1) >> (k - 1)) + w,   decays with tau_s = 2^(k-1) ticks;   w = drive * 2^scale
    u(t) = m(t) - g(t);  a spike if u >= threshold, then m -= threshold;  g, the synaptic current, is never reset

Shifts round towards minus infinity; m and g have 24 bits, of which 12 are a fraction, weights 6: so scale is 6 unless given.
k = 8 is the paper's 260 ms at a tick of 1 ms. The neuron can spike long after its last input. Grades and traces belong to the
learning rule.
"""
from neuroemu.isa import Param, Port, State, shift_floor, shift_left


def soma(m: State(24), g: State(24), drive: Port, k: Param(1, 30, init=8), scale: Param(0, 16, init=6), threshold: Param):
    m = m - shift_floor(m, k) + shift_left(drive, scale)
    g = g - shift_floor(g, k - 1) + shift_left(drive, scale)
    spike = 1 if m - g >= threshold else 0
    m = m - threshold if spike else m
    return m, g, spike
