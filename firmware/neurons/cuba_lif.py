"""Current-based leaky integrate-and-fire soma (Davies et al. 2018, equations 1 and 2).

    u(t) = u(t-1) * (4096 - decay_u) / 4096 + drive + bias_u,  narrowed as u's register is before v reads it
    v(t) = v(t-1) * (4096 - decay_v) / 4096 + u(t) + bias;     a spike if v > threshold (inclusive: >=)

Both decays round towards zero. Switches and reset as in lif.py; u is never reset.
"""
from neuroemu.isa import Param, Port, State, Switch, Width, decay_to_zero, fit


def soma(
    u: State, v: State, drive: Port, decay_u: Param(0, 4096), decay_v: Param(0, 4096), bias_u: Param(init=0), bias: Param(init=0),
    threshold: Param, reset: Param(init=0), u_width: Width, subtract: Switch, late: Switch, inclusive: Switch,
):
    fired = 1 if late and (v >= threshold if inclusive else v > threshold) else 0
    u = fit(decay_to_zero(u, decay_u) + drive + bias_u, u_width)
    v = decay_to_zero(v, decay_v) + u + bias
    v = (v - threshold if subtract else reset) if fired else v
    spike = 1 if (v >= threshold if inclusive else v > threshold) else 0
    v = (v - threshold if subtract else reset) if spike and not late else v
    return u, v, spike
