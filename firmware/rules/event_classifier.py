"""Event-based supervised classifier: an integrate-and-fire neuron a class, learning by events (Thiele 2019, thesis, equations 3.5-3.7).

    a spike of feature j:           v_i <- v_i + w_ij,     w_ij <- w_ij + eta E_i           for all classes i
    a class spikes (v >= theta):    v <- 0 for that one,   E_i <- m E_i + R_i - [i spiked]  for all classes i

R is 1 for the class the host tells, 0 for the others. E and v start at 0 in every presentation. A weight meets E as it was before the
tick of its spike. Where several classes reach theta in one tick, the largest spikes and the others wait, a tick each: every spike is
an event of its own. The answer is the class of most spikes, of equal ones the class of the larger v: that of the largest score.

Fractions: E and m have 8 bits, eta 20 and theta is 2^12 for a weight of 1, so that w changes by eta E / 2^16 units, rounded stochastically.
The thesis gives no eta, m, theta or start. If no class ever spikes, E stays 0 and nothing is learned: weights must not start at 0, and
eta must be small enough that the first errors, which push every class down but one, leave some class able to spike.
"""

from dataclasses import replace

import numpy as np

import neuroemu as ne
from neuroemu.isa import Input, Key, Param, Port, Post, State, Weight, clamp, shift_left, shift_stochastic, shift_zero

ONE = 256
THETA = 4096


def scored(n, v):
    return shift_left(n, 16) + clamp(v, -32768, 32767)


class neuron:
    """A class: `n` spikes so far, `error` is E."""

    def modulate(right: State(2), value: Input):
        right = 1 if value else 0
        return right

    def soma(v: State, n: State(15), score: State(32), drive: Port, theta: Param(1, 1000000000)):
        v = v + drive
        score = scored(n, v)
        spike = 1 if v >= theta else 0
        return v, score, spike

    def settle(
        v: State, n: State(15), score: State(32), error: State(16), right: State(2), spike_won: Input,
        momentum: Param(0, 255),
    ):
        error = shift_zero(momentum * error, 8) + ONE * (right - spike_won)
        v = 0 if spike_won else v
        n = n + spike_won
        score = scored(n, v)
        return v, n, score, error


class synapse:
    """A weight that moves by eta E with every spike it passes on."""

    ONLINE = True
    GATE = {"arrive_synapse": "error"}

    def arrive_synapse(w: Weight, error: Post(16), key: Key, eta: Param(0, 1048575), limit: Param(1, 32767)):
        w = clamp(w + shift_stochastic(eta * error, 16, key, 0), -limit, limit)
        return w


def wire(
    network, projections, output, *, eta=0.003, momentum=0.5, theta=1.0, mean=0.1, spread=0.02, limit=1.0, seed=0
):
    """Make `output` the classes, each of which learns from the spikes of the projections that end there.

    eta, theta, limit (of a weight's size) and the start weights N(mean, spread) count weights of 1, which is 4096 in the register;
    mean=None keeps the network's weights, in register units. The host tells the right class in tick 0; `score` is probed.
    """
    into = [p.label for p in network.projections if p.label in projections and p.post == output]
    if not into or len(into) != len(projections):
        raise ne.NetworkError(
            f"event_classifier learns projections into output '{output}'; it was given {', '.join(projections) or 'none'}: "
            "name those that end there"
        )
    params = {"theta": round(theta * THETA), "momentum": round(momentum * 256)}
    classes = replace(
        network.population(output), neuron=ne.Firmware(f"{__name__}.neuron", params), compete={"spike": "v"}
    )
    rule = {"rule": f"{__name__}.synapse", "params": {"eta": round(eta * 2**20), "limit": round(limit * THETA)}}
    normal, learned = np.random.default_rng(seed).normal, [network.projection(label) for label in into]
    if mean is not None:
        def draw(shape):
            return np.rint(THETA * np.clip(normal(mean, spread, shape), -limit, limit)).astype(int)

        learned = [ne.drawn(network, p, draw) for p in learned]
    return replace(
        ne.rewired(network, classes, *(replace(p, **rule) for p in learned)),
        probes=(*network.probes, (output, "score")),
        modulators=(*network.modulators, ne.Modulator(output, 0)),
    )
