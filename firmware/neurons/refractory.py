"""Current-based leaky integrate-and-fire soma with an absolute refractory period (Loihi, as NengoLoihi's emulator has it).

    u(t) = u(t-1) * (4096 - decay_u) / 4096 + drive,           narrowed as u's register is before v reads it
    v(t) = v(t-1) * (4096 - decay_v) / 4096 + u(t) + bias,     but 0 while `wait` counts;  a spike if v > threshold

On a spike v becomes 0 and stays 0 for the next refractory - 1 ticks: 1 is no period at all, as on the chip. The current goes on.
With decay_u = 4096, which it is unless given, the current has no memory and this is lif.py with a refractory period.
"""
from neuroemu.isa import Param, Port, State, Width, decay_to_zero, fit


def soma(
    u: State, v: State, wait: State(8), drive: Port, decay_u: Param(0, 4096, init=4096), decay_v: Param(0, 4096), bias: Param(init=0),
    threshold: Param(0, 2147483647), refractory: Param(1, 64), u_width: Width,
):
    u = fit(decay_to_zero(u, decay_u) + drive, u_width)
    v = 0 if wait > 0 else decay_to_zero(v, decay_v) + u + bias
    spike = 1 if v > threshold else 0
    v = 0 if spike else v
    wait = refractory - 1 if spike else max(wait - 1, 0)
    return u, v, wait, spike
