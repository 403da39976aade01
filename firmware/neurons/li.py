"""Leaky integrator: a read-out that never spikes; its v is read at the end of a presentation.

    v(t) = v(t-1) * (4096 - decay_v) / 4096, rounded towards zero, + drive + bias
"""
from neuroemu.isa import Param, Port, State, decay_to_zero


def soma(v: State, drive: Port, decay_v: Param(0, 4096), bias: Param(init=0)):
    v = decay_to_zero(v, decay_v) + drive + bias
    return v
