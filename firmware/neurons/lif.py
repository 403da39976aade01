"""Leaky integrate-and-fire soma (Davies et al. 2018, equation 2, with a current that has no memory).

    v(t) = v(t-1) * (4096 - decay_v) / 4096, rounded towards zero, + drive + bias;  a spike if v > threshold (inclusive: >=)

On a spike v becomes `reset`, or loses `threshold` (subtract), at once or in the next tick (late, as snnTorch's reset_delay):
there, a neuron that finds its v above threshold is one that has just fired.
"""
from neuroemu.isa import Param, Port, State, Switch, decay_to_zero


def soma(
    v: State, drive: Port, decay_v: Param(0, 4096), bias: Param(init=0), threshold: Param, reset: Param(init=0),
    subtract: Switch, late: Switch, inclusive: Switch,
):
    fired = 1 if late and (v >= threshold if inclusive else v > threshold) else 0
    v = decay_to_zero(v, decay_v) + drive + bias
    v = (v - threshold if subtract else reset) if fired else v
    spike = 1 if (v >= threshold if inclusive else v > threshold) else 0
    v = (v - threshold if subtract else reset) if spike and not late else v
    return v, spike
