"""SpikeGrad: back-propagation by integers that neurons count and send (Thiele 2019, chapter 4), in graded mode.

With thresholds 2^f a layer computes I = W S + b and S = I / 2^f, rounded, if I > 0; S' = 1 if I > 0 and S < s_max. A neuron
integrates until its layer's phase and then sends its count as one payload: that is the spikes it would have sent with the
residual one included, so no order of events can change it. The output layer makes a softmax by tables with the help of one
neuron, in five ticks, and E = alpha (p - target), rounded half away from zero. Errors go back through copies of the same
weights: E = S' (W^T E) / 2^f. Then dW = -E S / 2^k and db = -E / 2^k at the commit, rounded stochastically; both ends of a
weight see the same S and E, so the copies stay equal bit for bit.
"""

from dataclasses import replace

import numpy as np

import neuroemu as ne
from neuroemu.isa import (
    Input, Keep, Key, Param, Port, Post, Pre, State, Sum, Switch, Table, Weight, clamp, decay_to_zero, leading_one, shift_away,
    shift_floor, shift_left, shift_round, shift_stochastic,
)

ALIASES = {
    "forward": ("synapse", {}),
    "backward": ("synapse", {"back": 1}),
    "forward_momentum": ("synapse", {"momentum": 1}),
    "backward_momentum": ("synapse", {"back": 1, "momentum": 1}),
}
FRACTION = 20
"""Bits of a reciprocal's fraction: recip[i] is 2^20 / (256 + i + 1/2)."""
FINE = 8
"""Bits of a momentum trace's fraction."""


class hidden:
    """A hidden neuron: drive until ``fire_phase``, errors until ``back_phase``; S' is decided by I itself, not by S."""

    def soma(
        v: State, s: State(16), gate: State(2), u: State, e: State(16), bias: Weight, drive: Port, back: Port,
        phase: Input, fire_phase: Param(0, 255), back_phase: Param(0, 255), f: Param(0, 20), s_max: Param(1, 32767),
        passes: Switch,
    ):
        fires = 1 if phase == fire_phase else 0
        backs = 1 if phase == back_phase else 0
        v = v + drive + (bias if fires else 0)
        u = u + back
        s = (min(shift_round(v, f), s_max) if v > 0 else 0) if fires else s
        gate = (1 if v > 0 and s < s_max else 0) if fires else gate
        e = (shift_away(u, f) if gate else 0) if backs else e
        spike = 1 if fires and s != 0 else 0
        spike_payload = s
        error = 1 if passes and backs and e != 0 else 0
        error_payload = e
        return v, s, gate, u, e, spike, spike_payload, error, error_payload

    def end(e: State(16), moved: Sum):
        moved = moved - e
        return moved

    def commit(bias: Weight, moved: Sum, k: Param(0, 40), key: Key):
        bias = bias + shift_stochastic(moved, k, key, 0)
        return bias


class output:
    """An output neuron, which never spikes. Phase ``start`` sends v, ``start`` + 2 its exponential, ``start`` + 4 the error:
    E as one packet, or ``unary``, in units from tick to tick; what is left to send is in ``ex`` then."""

    def modulate(target: State(2), value: Input):
        target = clamp(value, 0, 1)
        return target

    def soma(
        v: State, ex: State(13), e: State(16), target: State(2), bias: Weight, drive: Port, norm: Port,
        phase: Input, phase_tick: Input, fire_phase: Param(0, 255), start: Param(0, 250), step: Param(0, 20),
        alpha: Param(1, 1024), exp: Table(256, 0, 4095), recip: Table(256, 0, 4096), unary: Switch,
    ):
        v = v + drive + (bias if phase == fire_phase and phase_tick == 0 else 0)
        ex = exp[clamp(shift_floor(norm - v, step), 0, 255)] if phase == start + 2 else ex
        # the sum's nine leading bits choose its reciprocal; the largest exponential is 4095, so it has eleven or more after the first
        shift = clamp(leading_one(norm), 11, 31) - 8
        share = ex * recip[clamp(shift_floor(norm, shift) - 256, 0, 255)]
        point = shift + FRACTION
        wrong = alpha * share - shift_left(alpha * target, point)
        found = 1 if phase == start + 4 and phase_tick == 0 else 0
        e = shift_away(wrong, point) if found else e
        probe = 1 if phase == start else 0
        probe_payload = v
        inhibit = 1 if phase == start + 2 else 0
        inhibit_payload = ex
        error_payload = (clamp(e if found else ex, -1, 1) if phase >= start + 4 else 0) if unary else e
        error = (1 if error_payload != 0 else 0) if unary else (1 if found and e != 0 else 0)
        ex = ((e if found else ex) - error_payload if phase >= start + 4 else ex) if unary else ex
        return v, ex, e, probe, probe_payload, inhibit, inhibit_payload, error, error_payload

    def end(e: State(16), moved: Sum):
        moved = moved - e
        return moved

    def commit(bias: Weight, moved: Sum, k: Param(0, 40), key: Key):
        bias = bias + shift_stochastic(moved, k, key, 0)
        return bias


class norm:
    """The normalising neuron: answers with the largest v in phase ``start`` + 1, with the sum of exponentials in ``start`` + 3."""

    def soma(top: State(32, init=-2147483648), drive: Port, phase: Input, start: Param(0, 250)):
        probe = 1 if phase == start + 1 else 0
        probe_payload = top
        inhibit = 1 if phase == start + 3 else 0
        inhibit_payload = drive
        return top, probe, probe_payload, inhibit, inhibit_payload


class largest:
    """Synapses onto ``norm``: the largest payload. Exponentials come later, when it has been sent already."""

    def arrive_synapse(top: Post, payload: Input):
        top = max(top, payload)
        return top


class synapse:
    """Deferred update of a weight: its axon holds S, its neuron E; the mirrored copy (``back``) makes it by the same integers.

    With ``momentum`` in its recursive form (4.15): trace = mu trace - S E, and the weight follows (1 - mu) trace.
    """

    GATE = {"end_synapse": ("sent", "s", "e"), "commit_synapse": "moved"}  # of s and e the one that is used
    UNGATED = {"end_synapse": "momentum"}  # a trace fades whatever the presentation brought

    def arrive(sent: Pre(16), payload: Input):
        sent = sent + payload
        return sent

    def end_synapse(
        trace: Keep(32), moved: Sum, sent: Pre(16), s: Post(16), e: Post(16), decay: Param(0, 4096), back: Switch,
        momentum: Switch,
    ):
        change = sent * (s if back else e)
        trace = decay_to_zero(trace, decay) - shift_left(change, FINE) if momentum else trace
        moved = moved + trace if momentum else moved - change
        return trace, moved

    def commit_synapse(w: Weight, moved: Sum, k: Param(0, 60), key: Key):
        w = w + shift_stochastic(moved, k, key, 0)
        return w


def wire_softmax(network, output, neuron, start):
    """The output's populations and projections: the output itself, and the neuron that normalises its exponentials."""
    m, helper = network.population(output).n, f"{output}.norm"
    asks = {"probe": [], "inhibit": [("drive", "weight*payload")]}
    says = {"probe": [("norm", "weight*payload")], "inhibit": [("norm", "weight*payload")]}
    return (
        replace(network.population(output), neuron=neuron),
        ne.Population(helper, 1, ne.Firmware(f"{__name__}.norm", {"start": start})),
        ne.Projection(output, helper, np.ones((m, 1)), f"{output}.asks", routes=asks, rule=f"{__name__}.largest"),
        ne.Projection(helper, output, np.ones((1, m)), f"{output}.told", routes=says),
    )


def wire_weights(network, p, rng, one):
    """He's start: N(0, sqrt(2 / n)) of the n synapses a neuron has, in units of ``one``."""
    def draw(shape):
        fan_in = shape[0] if len(shape) == 2 else max(shape[0] / network.population(p.post).n, 1)
        return np.clip(np.rint(rng.normal(0, np.sqrt(2 / fan_in), shape) * one), -32768, 32767)

    return ne.drawn(network, p, draw)


def wire(
    network, projections, output, *, f=12, k=2, alpha=64, s_max=32767, rows=1, momentum=0, fine=0, bits=8, initial="he", seed=0
):
    """A chain input -> hidden layers -> output learns by SpikeGrad; its populations get this file's neurons.

    Thresholds are 2^f, eta / alpha is 2^-(f+k), ``alpha`` scales the error, counts saturate at ``s_max``. Graded input comes in
    the first ``rows`` ticks. ``momentum`` m > 0 is mu = 1 - 2^-m a presentation, for weights (biases go the same way at once);
    its traces are kept, so presentations run one after the other. ``initial`` "he" draws weights N(0, sqrt(2/n)) in units of
    2^f from ``seed``, "given" keeps the network's own integers. With ``fine`` m > 0 stored weights have m more bits of fraction
    (units of 2^-(f+m)) and the datapath takes them rounded, in ``bits``; eta / alpha is 2^-(f+m+k) then. Read out register v of
    the output. Compile with align=False: the phases say who computes when.
    """
    chain = ne.layers(network, projections, output, delays=False)
    deep = len(chain) - 1
    if deep < 1:
        raise ne.NetworkError(f"SpikeGrad learns through hidden layers, '{chain[0].label}' alone has none; put a population between")
    if not 0 <= f <= 20 or initial not in ("he", "given") or rows < 1 or not 0 <= momentum <= 12 or not 0 <= fine <= 14:
        raise ne.NetworkError(
            f"f is {f}, initial {initial!r}, rows {rows}, momentum {momentum}, fine {fine}; use 0 <= f <= 20, 'he' or 'given', "
            "rows >= 1, 0 <= momentum <= 12, 0 <= fine <= 14"
        )
    start, step, rng, changed, copies = deep + 2, max(f - 4, 0), np.random.default_rng(seed), [], []
    params = {"k": k + momentum + 8, "decay": 4096 >> momentum} if momentum else {"k": k}
    for n, p in enumerate(chain):
        p = p if initial == "given" else wire_weights(network, p, rng, 1 << f + fine)
        rule = {"rule": f"{__name__}.synapse", "params": params, "switches": {"momentum": int(momentum > 0)}}
        drive = {"spike" if n else "input": [("drive", "weight*payload")]}
        changed.append(replace(p, routes=drive, view=ne.View(fine, bits) if fine else None, **rule))
        if n:
            back = rule | {"switches": {**rule["switches"], "back": 1}, "routes": {"error": [("back", "weight*payload")]}}
            copies.append(ne.mirrored(changed[-1], **back))
        phases = {"fire_phase": 1 + n, "back_phase": start + 4 + deep - n}
        hidden = ne.Firmware(f"{__name__}.hidden", {**phases, "f": f, "s_max": s_max, "k": k + fine}, {"passes": int(n > 0)})
        changed.append(replace(network.population(p.post), neuron=hidden))
    tables = {"exp": np.rint(4095 * np.exp(-np.arange(256) * 2.0 ** (step - f))).astype(int),
              "recip": np.rint(2**20 / (256.5 + np.arange(256))).astype(int)}
    params = {"fire_phase": deep + 1, "start": start, "step": step, "alpha": alpha, **tables, "k": k + fine}
    softmax = wire_softmax(network, output, ne.Firmware(f"{__name__}.output", params, {"unary": 0}), start)
    return replace(
        ne.rewired(network, *changed, *copies, *softmax),
        probes=tuple(dict.fromkeys((*network.probes, (output, "v")))),
        phases=[ne.Phase(n, 1 if n else rows, learning=n >= start) for n in range(start + 5 + deep)],
        modulators=[*network.modulators, ne.Modulator(output, rows - 1 + start)],
        notes=(*network.notes, f"softmax of '{output}' on the chip, by tables and population '{output}.norm' in five ticks; no host work"),
    )
