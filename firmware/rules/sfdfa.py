"""SFDFA, spiking forward direct feedback alignment, and DFA, the same with frozen feedback (Bacho 2024, thesis, chapter 5).

Neurons are current-based leaky integrators with tau = 2 tau_s = 2^k ticks, as in neurons/sfdfa.py. Spikes carry a grade: what the
grades of incoming spikes come to through the weights, plus a perturbation p = +-1 with a hidden neuron's first spike. An output
sums the grades of its own spikes to D, so that E[D p] is the weight on the way from the perturbed neuron. When the inference
phase is over it sends its error (target - n) and D to every hidden neuron: weights b of feedback follow the mean of D p, and
    delta_i = sum_o b_oi error_o + beta (nhat - nbar_i),    w_ij += 2^-rate delta_i sum over own spikes of x_j / max(I_i, threshold)
with the axon's trace x (two leaky integrators, as the neuron has) and the synaptic current I = g.

Fractions: w 12 bits, m and g 16, traces 16, x and the reciprocal and loc 12, grades, feedback and a hidden delta 8; an output's
delta is a whole number of spikes, nbar has 10. A silent output that should speak learns as if it had spiked at the end.
"""

from dataclasses import replace

import numpy as np

import neuroemu as ne
from neuroemu.isa import (
    PROBE, Input, Key, Param, Port, Post, Pre, State, Sum, Table, Weight, clamp, leading_one, shift_floor, shift_left,
    shift_round, shift_stochastic, uniform,
)

INFERENCE = 0
LEARNING = 1


def reciprocal(current, mantissa):
    """2^28 / current, so 12 bits of fraction: the place of the leading one, and a table of the 8 bits behind it."""
    place = max(leading_one(current), 13)
    return shift_round(mantissa[clamp(shift_floor(current, place - 8) - 256, 0, 255)], place - 13)


class hidden:
    def soma(
        m: State(24), g: State(24), s: State(28), n: State(16), p: State(16), q: State(16), delta: State(16),
        drive: Port, grade: Port, error: Port, phase: Input, tick: Input, key: Key, k: Param(2, 15, init=7),
        threshold: Param(8192, 4194304), mantissa: Table(256, 0, 32767), perturbation: Param(0, 4096, init=256),
    ):
        p = (perturbation if uniform(key, 0, 1) else -perturbation) if tick == 0 else p
        m = m - shift_floor(m, k) + shift_left(drive, 4)
        g = g - shift_floor(g, k - 1) + shift_left(drive, 4)
        s = s + shift_round(grade, 12)
        spike = 1 if phase == INFERENCE and m - g >= threshold else 0
        q = reciprocal(max(g, threshold), mantissa) if spike else q
        m = m - threshold if spike else m
        spike_payload = s + (p if n == 0 else 0)
        s = 0 if spike else s
        n = n + spike
        delta = delta + clamp(error, -65536, 65535)
        return m, g, s, n, p, q, delta, spike, spike_payload

    def end(
        n: State(16), delta: State(16), nbar: Weight(16, init=1024), sum_n: Sum, beta: Param(0, 64, init=4),
        nhat: Param(0, 32767, init=1024),
    ):
        delta = delta + shift_round(beta * (nhat - nbar), 2) if n > 0 else 0
        sum_n = sum_n + n
        return delta, sum_n

    def commit(nbar: Weight(16, init=1024), sum_n: Sum, batch: Input, key: Key):
        late = shift_left(sum_n, 10) - batch * nbar
        nbar = nbar + shift_stochastic(late, max(6, leading_one(2 * batch - 1)), key, 0)
        return nbar


class output:
    def modulate(target: State(16), value: Input, yes: Param(-1024, 1024, init=15), no: Param(-1024, 1024, init=3)):
        target = yes if value else no
        return target

    def soma(
        m: State(24), g: State(24), s: State(28), n: State(16), q: State(16), d: State(32), target: State(16),
        delta: State(16), drive: Port, grade: Port, phase: Input, phase_tick: Input, k: Param(2, 15, init=7),
        threshold: Param(8192, 4194304), mantissa: Table(256, 0, 32767),
    ):
        m = m - shift_floor(m, k) + shift_left(drive, 4)
        g = g - shift_floor(g, k - 1) + shift_left(drive, 4)
        s = s + shift_round(grade, 12)
        spike = 1 if phase == INFERENCE and m - g >= threshold else 0
        q = reciprocal(max(g, threshold), mantissa) if spike else q
        m = m - threshold if spike else m
        d = d + (s if spike else 0)
        s = 0 if spike else s
        n = n + spike
        now = 1 if phase == LEARNING and phase_tick == 0 else 0
        delta = target - n if now else delta
        error = 1 if now and delta != 0 else 0
        error_payload = delta
        probe = now
        probe_payload = d
        return m, g, s, n, q, d, delta, spike, error, error_payload, probe, probe_payload

    def end(n: State(16), delta: State(16)):
        delta = delta if n > 0 or delta > 0 else 0
        return delta


class forward:
    """Weights of every layer. ``rescue`` is 2^12 / threshold at the output, 0 at hidden layers."""

    GATE = {"fire_synapse": "x", "end_synapse": ("x", "delta"), "commit_synapse": "sum_w"}

    def tick_pre(tm: Pre(24), tg: Pre(24), x: Pre(16), k: Param(2, 15, init=7)):
        tm = clamp(tm - shift_floor(tm, k), 0, 8388607)
        tg = clamp(tg - shift_floor(tg, k - 1), 0, 8388607)
        x = clamp(shift_round(tm - tg, 4), 0, 32767)
        return tm, tg, x

    def arrive(tm: Pre(24), tg: Pre(24)):
        tm = tm + 65536
        tg = tg + 65536
        return tm, tg

    def fire_synapse(loc: State(16), x: Pre(16), q: Post(16)):
        loc = loc + shift_round(x * q, 12)
        return loc

    def end_synapse(sum_w: Sum, loc: State(16), x: Pre(16), n: Post(16), delta: Post(16), rescue: Param(0, 32767)):
        late = min(shift_round(x * rescue, 12), 32767)
        sum_w = sum_w + delta * (late if n == 0 else loc)
        return sum_w

    def commit_synapse(w: Weight(16), sum_w: Sum, key: Key, rate: Param(0, 40)):
        w = w + shift_stochastic(sum_w, rate, key, 0)
        return w


class feedback:
    """Weights from the outputs to a hidden layer: the running mean of D p over the presentations in which p was sent."""

    GATE = {"commit_synapse": "sum_b"}

    def arrive(d_pre: Pre(32), payload: Input, channel: Input):
        d_pre = payload if channel == PROBE else d_pre
        return d_pre

    def end_synapse(b: Weight(12), sum_b: Sum, d_pre: Pre(32), p: Post(16), n: Post(16)):
        sum_b = sum_b + ((d_pre if p > 0 else -d_pre) - b if n > 0 else 0)
        return sum_b

    def commit_synapse(b: Weight(12), sum_b: Sum, batch: Input, key: Key, rate: Param(0, 16, init=10)):
        b = b + shift_stochastic(sum_b, max(rate, leading_one(2 * batch - 1)), key, 0)
        return b


def wire_feedback(network, hidden, output, rng, learns, rate):
    """Feedback from the outputs to a hidden population: learned from 0 with their probes, or drawn and fixed."""
    shape = network.population(output).n, network.population(hidden).n
    fixed, name = np.rint(rng.uniform(-1, 1, shape) * 256), f"feedback->{hidden}"
    if not learns:
        return ne.Projection(output, hidden, fixed, name, routes={"error": [("error", "weight*payload")]})
    routes = {"error": [("error", "weight*payload")], "probe": []}
    return ne.Projection(
        output, hidden, np.zeros(shape), name, routes=routes, rule=f"{__name__}.feedback", params={"rate": rate}
    )


def wire(
    network, projections, output, *, mode="sfdfa", ticks=100, k=7, threshold=0.4, output_threshold=0.5, initial=1.0, rate=8,
    output_rate=10, feedback_rate=10, beta=4, nhat=1.0, yes=15, no=3, seed=0,
):
    """The network that learns: a chain of ``projections`` from a host input over hidden populations to ``output``.

    ``mode`` "sfdfa" learns the feedback from zero, "dfa" freezes it at U(-1, 1). Every neuron becomes one of this rule's; weights
    are drawn anew from U(-initial, initial) with ``seed``. A presentation has ``ticks`` rows, tau is 2^k ticks (k = 7: ticks of
    2 ms). A weight moves 2^-rate (at the output 2^-output_rate) a unit of error and gradient, feedback averages over
    2^feedback_rate presentations. ``beta`` and ``nhat`` pull the spikes a presentation of hidden neurons; ``yes`` and ``no`` are
    the spikes wanted of the right and the other outputs. Thresholds are 1/8 to 64, in units of a weight.
    """
    if mode not in ("sfdfa", "dfa"):
        raise ne.NetworkError(f"rule sfdfa: mode is {mode!r}; choose sfdfa or dfa")
    chain, rng = ne.layers(network, projections, output), np.random.default_rng(seed)
    mantissa = np.rint(2**23 / (np.arange(256) + 256.5)).astype(np.int64)
    learns, changed = mode == "sfdfa", []
    for p in chain:
        last = p.post == output
        c = round((output_threshold if last else threshold) * 65536)
        own = {"yes": yes, "no": no} if last else {
            "beta": beta, "nhat": round(nhat * 1024), "perturbation": 256 if learns else 0
        }
        neuron = ne.Firmware(
            f"{__name__}.{'output' if last else 'hidden'}", {"threshold": c, "k": k, "mantissa": mantissa, **own}
        )
        changed.append(replace(network.population(p.post), neuron=neuron))
        learned = ne.drawn(network, p, lambda shape: np.rint(rng.uniform(-initial, initial, shape) * 4096))
        grade = {"spike": [("drive", "weight"), ("grade", "weight*payload")]}
        speeds = {"rescue": min((1 << 28) // c, 32767) if last else 0, "rate": output_rate if last else rate + 8}
        changed.append(replace(
            learned, routes=None if p is chain[0] else grade, rule=f"{__name__}.forward", params={"k": k, **speeds}
        ))
        if not last:
            changed.append(wire_feedback(network, p.post, output, rng, learns, feedback_rate))
    steps = ticks + len(chain)
    return replace(
        ne.rewired(network, *changed),
        probes=(*(probe for probe in network.probes if probe != (output, "n")), (output, "n")),
        phases=(ne.Phase(INFERENCE, steps), ne.Phase(LEARNING, 2, learning=True)),
        modulators=(ne.Modulator(output, steps),),
    )


def as_float(program, params, dt):
    """What NIR can hold of a neuron: its model, the unit of its weights, conventions.

    u = m - g has u <- u - 2^-k u + 2^-k g and g <- g - 2^-(k-1) g + w: 2^k u is the voltage of a current-based LIF with
    tau_mem = 2 tau_syn = 2^k ticks, which here takes g as it was a tick before. A spike takes the threshold away.
    """
    del program  # both kinds are the same neuron
    steps, threshold = 2 ** int(params["k"]), params["threshold"] / 65536
    neuron = ne.CubaLIF(steps // 2 * dt, steps * dt, v_threshold=threshold * steps, r=steps, w_in=steps // 2)
    return neuron, 1 / 4096, {"reset": "subtract", "spike_if": ">=", "decay": "euler", "gain": "nir"}
