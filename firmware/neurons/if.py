"""Integrate-and-fire soma without leak.

    v(t) = v(t-1) + drive + bias;  a spike if v > threshold (inclusive: >=)

Switches and reset as in lif.py.
"""
from neuroemu.isa import Param, Port, State, Switch


def soma(
    v: State, drive: Port, bias: Param(init=0), threshold: Param, reset: Param(init=0), subtract: Switch, late: Switch, inclusive: Switch
):
    fired = 1 if late and (v >= threshold if inclusive else v > threshold) else 0
    v = v + drive + bias
    v = (v - threshold if subtract else reset) if fired else v
    spike = 1 if (v >= threshold if inclusive else v > threshold) else 0
    v = (v - threshold if subtract else reset) if spike and not late else v
    return v, spike
