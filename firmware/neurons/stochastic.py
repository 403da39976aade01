"""Leaky integrate-and-fire soma with a random threshold: each neuron draws afresh in each tick.

    v(t) = v(t-1) * (4096 - decay_v) / 4096, rounded towards zero, + drive + bias
    a spike if v > threshold + n,  n uniform in 0 .. 2^bits - 1 (Cassidy et al. 2013, the threshold's random mask)

On a spike v becomes `reset`, or loses `threshold` (subtract). With bits = 0 this is lif.py.
"""
from neuroemu.isa import Key, Param, Port, State, Switch, decay_to_zero, uniform


def soma(
    v: State, drive: Port, key: Key, decay_v: Param(0, 4096), bias: Param(init=0), threshold: Param, bits: Param(0, 30),
    reset: Param(init=0), subtract: Switch,
):
    v = decay_to_zero(v, decay_v) + drive + bias
    spike = 1 if v > threshold + uniform(key, 0, bits) else 0
    v = (v - threshold if subtract else reset) if spike else v
    return v, spike
