"""SpikeGrad: back-propagation by integers that neurons count and send (Thiele 2019, chapter 4), in graded mode.

With thresholds 2^f a layer computes I = W S + b and S = I / 2^f, rounded, if I > 0; S' = 1 if I > 0 and S < s_max. A neuron
integrates until its layer's phase and then sends its count as one payload: that is the spikes it would have sent with the
residual one included, so no order of events can change it. The output layer makes a softmax by tables with the help of one
neuron, in five ticks, and E = alpha (p - target), rounded half away from zero. Errors go back through copies of the same
weights: E = S' (W^T E) / 2^f. Then dW = -E S / 2^k and db = -E / 2^k at the commit, rounded stochastically; both ends of a
weight see the same S and E, so the copies stay equal bit for bit.
"""

from neuroemu.isa import (
    Input,
    Keep,
    Key,
    Param,
    Port,
    Post,
    Pre,
    State,
    Sum,
    Switch,
    Table,
    Weight,
    clamp,
    decay_to_zero,
    leading_one,
    shift_away,
    shift_floor,
    shift_left,
    shift_round,
    shift_stochastic,
)

FRACTION = 20
"""Bits of a reciprocal's fraction: recip[i] is 2^20 / (256 + i + 1/2)."""
FINE = 8
"""Bits of a momentum trace's fraction."""


class hidden:
    """A hidden neuron: drive until ``fire_phase``, errors until ``back_phase``; S' is decided by I itself, not by S."""

    def soma(
        v: State,
        s: State(16),
        gate: State(2),
        u: State,
        e: State(16),
        bias: Weight,
        drive: Port,
        back: Port,
        phase: Input,
        fire_phase: Param(0, 255),
        back_phase: Param(0, 255),
        f: Param(0, 20),
        s_max: Param(1, 32767),
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
        v: State,
        ex: State(13),
        e: State(16),
        target: State(2),
        bias: Weight,
        drive: Port,
        norm: Port,
        phase: Input,
        phase_tick: Input,
        fire_phase: Param(0, 255),
        start: Param(0, 250),
        step: Param(0, 20),
        alpha: Param(1, 1024),
        exp: Table(256, 0, 4095),
        recip: Table(256, 0, 4096),
        unary: Switch,
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


class forward:
    """Deferred update of a weight: its axon holds S, its neuron E."""

    GATE = {"end_synapse": ("s_pre", "e"), "commit_synapse": "moved"}

    def arrive(s_pre: Pre(16), payload: Input):
        s_pre = s_pre + payload
        return s_pre

    def end_synapse(moved: Sum, s_pre: Pre(16), e: Post(16)):
        moved = moved - s_pre * e
        return moved

    def commit_synapse(w: Weight, moved: Sum, k: Param(0, 40), key: Key):
        w = w + shift_stochastic(moved, k, key, 0)
        return w


class backward:
    """The same update of its mirrored copy, by the same integers: the axon holds E, the neuron S."""

    GATE = {"end_synapse": ("e_pre", "s"), "commit_synapse": "moved"}

    def arrive(e_pre: Pre(16), payload: Input):
        e_pre = e_pre + payload
        return e_pre

    def end_synapse(moved: Sum, e_pre: Pre(16), s: Post(16)):
        moved = moved - s * e_pre
        return moved

    def commit_synapse(w: Weight, moved: Sum, k: Param(0, 40), key: Key):
        w = w + shift_stochastic(moved, k, key, 0)
        return w


class forward_momentum:
    """`forward` with the recursive form of momentum (4.15): trace = mu trace - S E, and the weight follows (1 - mu) trace."""

    GATE = {"commit_synapse": "moved"}

    def arrive(s_pre: Pre(16), payload: Input):
        s_pre = s_pre + payload
        return s_pre

    def end_synapse(trace: Keep(32), moved: Sum, s_pre: Pre(16), e: Post(16), decay: Param(0, 4096)):
        trace = decay_to_zero(trace, decay) - shift_left(s_pre * e, FINE)
        moved = moved + trace
        return trace, moved

    def commit_synapse(w: Weight, moved: Sum, k: Param(0, 60), key: Key):
        w = w + shift_stochastic(moved, k, key, 0)
        return w


class backward_momentum:
    """The same update of its mirrored copy, by the same integers."""

    GATE = {"commit_synapse": "moved"}

    def arrive(e_pre: Pre(16), payload: Input):
        e_pre = e_pre + payload
        return e_pre

    def end_synapse(trace: Keep(32), moved: Sum, e_pre: Pre(16), s: Post(16), decay: Param(0, 4096)):
        trace = decay_to_zero(trace, decay) - shift_left(s * e_pre, FINE)
        moved = moved + trace
        return trace, moved

    def commit_synapse(w: Weight, moved: Sum, k: Param(0, 60), key: Key):
        w = w + shift_stochastic(moved, k, key, 0)
        return w


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
    from dataclasses import replace
    from pathlib import Path

    import numpy as np

    import neuroemu as ne
    from neuroemu.network.wiring import layers

    chain = [network.projection(label) for label in layers(network, projections)]
    deep = len(chain) - 1
    if deep < 1 or chain[-1].post != output:
        raise ne.NetworkError(
            f"SpikeGrad learns a chain from an input through hidden layers to the output; {', '.join(projections)} is not one "
            f"that ends at '{output}'"
        )
    if not 0 <= f <= 20 or initial not in ("he", "given") or rows < 1 or not 0 <= momentum <= 12 or not 0 <= fine <= 14:
        raise ne.NetworkError(
            f"f is {f}, initial {initial!r}, rows {rows}, momentum {momentum}, fine {fine}; use 0 <= f <= 20, 'he' or 'given', "
            "rows >= 1, 0 <= momentum <= 12, 0 <= fine <= 14"
        )
    file = Path(__file__)
    shipped = file.parent.name == "rules" and file.parent.parent.name == "firmware"
    rule = file.stem if shipped else str(file)
    start, step = deep + 2, max(f - 4, 0)
    grid = np.arange(256)
    exp = np.rint(4095 * np.exp(-grid * 2.0 ** (step - f))).astype(int)
    recip = np.rint(2**20 / (256.5 + grid)).astype(int)

    neurons = {
        p.post: ne.Firmware(
            f"{rule}.hidden",
            {"fire_phase": 1 + n, "back_phase": start + 4 + deep - n, "f": f, "s_max": s_max, "k": k + fine},
            {"passes": int(n > 0)},
        )
        for n, p in enumerate(chain[:-1])
    }
    neurons[output] = ne.Firmware(
        f"{rule}.output",
        {"fire_phase": deep + 1, "start": start, "step": step, "alpha": alpha, "exp": exp, "recip": recip, "k": k + fine},
        {"unary": 0},
    )
    populations = [replace(p, neuron=neurons.get(p.name, p.neuron)) for p in network.populations]
    populations.append(ne.Population(f"{output}.norm", 1, ne.Firmware(f"{rule}.norm", {"start": start})))

    kind, params = ("_momentum", {"k": k + momentum + 8, "decay": 4096 >> momentum}) if momentum else ("", {"k": k})
    view = ne.View(fine, bits) if fine else None
    rng = np.random.default_rng(seed)
    learning, copies = {}, []
    for n, p in enumerate(chain):
        shape = network.population(p.pre).n, network.population(p.post).n
        lists = p.weight if isinstance(p.weight, ne.Sparse) else None
        if np.any(p.delay) or (lists is not None and np.any(lists.delay if lists.delay is not None else 0)):
            raise ne.NetworkError(f"projection '{p.label}' has delays; a layer's counts come in one tick, use none")
        value = np.asarray(p.weight if lists is None else lists.weight)
        if initial == "he":
            fan_in = shape[0] if lists is None else max(value.size / shape[1], 1)
            drawn = rng.normal(0, np.sqrt(2 / fan_in), shape if lists is None else value.shape)
            value = np.clip(np.rint(drawn * (1 << f + fine)), -32768, 32767)
        weight = value if lists is None else replace(lists, weight=value)
        turned = value.T if lists is None else ne.Sparse(lists.post, lists.pre, value)
        channel = "spike" if n else "input"
        learning[p.label] = replace(
            p, weight=weight, rule=f"{rule}.forward{kind}", params=params, routes={channel: [("drive", "weight*payload")]}, view=view
        )
        if n:
            routes = {"error": [("back", "weight*payload")]}
            copies.append(
                ne.Projection(
                    p.post, p.pre, turned, f"{p.label}.back", 0, routes, f"{rule}.backward{kind}", params, mirror=p.label, view=view
                )
            )
    m, helper = network.population(output).n, f"{output}.norm"
    asks = {"probe": [], "inhibit": [("drive", "weight*payload")]}
    says = {"probe": [("norm", "weight*payload")], "inhibit": [("norm", "weight*payload")]}
    copies.append(ne.Projection(output, helper, np.ones((m, 1)), f"{output}.asks", 0, asks, f"{rule}.largest"))
    copies.append(ne.Projection(helper, output, np.ones((1, m)), f"{output}.told", 0, says))

    phases = [ne.Phase(0, rows), *(ne.Phase(n, 1) for n in range(1, start))]
    phases += [ne.Phase(n, 1, learning=True) for n in range(start, start + 5 + deep)]
    return replace(
        network,
        populations=populations,
        projections=[*(learning.get(p.label, p) for p in network.projections), *copies],
        probes=tuple(dict.fromkeys((*network.probes, (output, "v")))),
        phases=phases,
        modulators=[*network.modulators, ne.Modulator(output, rows - 1 + start)],
        notes=(*network.notes, f"softmax of '{output}' on the chip, by tables and population '{helper}' in five ticks; no host work"),
    )
