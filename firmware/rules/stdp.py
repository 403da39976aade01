"""Pair STDP with exponential traces, weights at once (Bacho 2024, thesis, equations 40-41, with the sign of the exponents corrected).

    x <- floor(x (1 - 2^-k_plus)) a tick, on a pre spike x + step;      y likewise with k_minus, on a post spike
    post spike:  w <- w + (a_plus x) / 2^shift         pre spike:  w <- w - (a_minus y) / 2^shift

w stays within low..high; quotients are rounded stochastically, so that the mean of small changes is exact. A pre spike of the same
tick counts as causal: x decays t_post - t_pre times, y t_pre - t_post times. A spike's time is its arrival, delay included. A spike
is paired with all of the other side before it; with switch `nearest`, by which the step replaces the trace, with the last one only.
Traces start at 0 in every presentation and are as wide as the chip has them: a step near the top saturates when spikes pile up,
which is counted.
"""

from dataclasses import replace

import neuroemu as ne
from neuroemu.isa import (
    Input, Key, Param, PostState, Pre, Switch, Weight, clamp, shift_floor, shift_left, shift_stochastic,
)

ALIASES = {
    "all_to_all": ("synapse", {"nearest": 0}, {"nearest": False}),
    "nearest": ("synapse", {"nearest": 1}, {"nearest": True}),
}


def decayed(x, k):
    return shift_floor(shift_left(x, k) - x, k)


class synapse:
    """Pair STDP with exponential traces: a spike is paired with all spikes of the other side before it, or with the nearest."""

    ONLINE = True
    GATE = {"arrive_synapse": "y", "fire_synapse": "x"}

    def tick_pre(x: Pre, k_plus: Param(1, 12)):
        x = decayed(x, k_plus)
        return x

    def arrive(x: Pre, step: Param(1, 32767), nearest: Switch):
        x = step if nearest else x + step
        return x

    def arrive_synapse(
        w: Weight, y: PostState, key: Key, a_minus: Param(0, 4095), shift: Param(0, 24), low: Param, high: Param
    ):
        w = clamp(w - shift_stochastic(a_minus * y, shift, key, 0), low, high)
        return w

    def tick_post(y: PostState, fired: Input, step: Param(1, 32767), k_minus: Param(1, 12), nearest: Switch):
        y = decayed((step if fired else y) if nearest else y + (step if fired else 0), k_minus)
        return y

    def fire_synapse(w: Weight, x: Pre, key: Key, a_plus: Param(0, 4095), shift: Param(0, 24), low: Param, high: Param):
        w = clamp(w + shift_stochastic(a_plus * x, shift, key, 0), low, high)
        return w


def wire(
    network, projections, output, *, nearest=False, a_plus=4, a_minus=3, k_plus=4, k_minus=4, step=256, shift=8, low=0, high=255
):
    """Let the projections learn; their weights, in register units, start as the network has them.

    Time constants are 2^k_plus and 2^k_minus ticks nearly; a pair at no distance changes w by a step / 2^shift. Loihi's traces
    have 7 bits: a step of at most 63, 32 if spikes pile up. Neurons and phases stay as they are; `output` plays no part.
    """
    del output
    params = {"a_plus": a_plus, "a_minus": a_minus, "k_plus": k_plus, "k_minus": k_minus, "step": step, "shift": shift}
    rule = {
        "rule": f"{__name__}.synapse", "params": {**params, "low": low, "high": high}, "switches": {"nearest": int(nearest)}
    }
    return ne.rewired(network, *(replace(network.projection(label), **rule) for label in projections))
