"""Current-based leaky integrator: a read-out that never spikes; its v is read at the end of a presentation.

    u(t) = u(t-1) * (4096 - decay_u) / 4096 + drive + bias_u,  narrowed as u's register is before v reads it
    v(t) = v(t-1) * (4096 - decay_v) / 4096 + u(t) + bias
"""
from neuroemu.isa import Param, Port, State, Width, decay_to_zero, fit


def soma(
    u: State, v: State, drive: Port, decay_u: Param(0, 4096), decay_v: Param(0, 4096), bias_u: Param(init=0), bias: Param(init=0),
    u_width: Width,
):
    u = fit(decay_to_zero(u, decay_u) + drive + bias_u, u_width)
    v = decay_to_zero(v, decay_v) + u + bias
    return u, v
