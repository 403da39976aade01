"""Leaky integrate-and-fire soma with an adaptive threshold (Bellec et al. 2018, LSNN; the ALIF neuron).

    a(t) = a(t-1) * (4096 - decay_a) / 4096, rounded towards zero
    v(t) = v(t-1) * (4096 - decay_v) / 4096, rounded towards zero, + drive + bias;  a spike if v > threshold + a(t)

On a spike a grows by `step`, and v becomes `reset` or loses `threshold` + a (subtract).
"""
from neuroemu.isa import Param, Port, State, Switch, decay_to_zero


def soma(
    v: State, a: State, drive: Port, decay_v: Param(0, 4096), decay_a: Param(0, 4096), bias: Param(init=0), threshold: Param,
    step: Param, reset: Param(init=0), subtract: Switch,
):
    a = decay_to_zero(a, decay_a)
    v = decay_to_zero(v, decay_v) + drive + bias
    spike = 1 if v > threshold + a else 0
    v = (v - threshold - a if subtract else reset) if spike else v
    a = a + step if spike else a
    return v, a, spike
