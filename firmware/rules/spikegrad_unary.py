"""SpikeGrad in unary mode: what `spikegrad` sends as one count goes out spike by spike (Thiele 2019, chapter 4, equations 4.5-4.12).

A hidden neuron sends +1 while V >= T = 2^f and, if it has sent more +1 than -1 so far (S > 0), -1 while V <= -T; one packet a tick, and
V -= T with each. When everything is quiet its layer's phase begins: the residual spike rounds S to V / T (4.26; at -T/2 only if
S > 0, which the equation lacks). Then the next layer's, and the outputs make their error as in `spikegrad`, by tables and the
normalising neuron, and send it in units. Errors go back in the same way, +-1 at U >= T and U <= -T, rounded half away from
zero (4.29), where S' = 1 (V > 0 or S > 0). What is not sent, a first layer's error and one behind S' = 0, is not spelt out in units:
quiet is what the network is, and nobody would wait for it.

Every phase of spikes lasts until quiet, and the sums are those of `spikegrad` whatever the order of the packets, as weights are: the
mode shows that, and what it costs. Outputs, normalising and synapses are programs of spikegrad.py.
"""

from dataclasses import replace

import neuroemu as ne
from neuroemu.isa import Input, Key, Param, Port, State, Sum, Switch, Weight, shift_away, shift_left, shift_stochastic


class hidden:
    """A ternary neuron with two compartments: V and its count S, U and its count Z; E = S' Z."""

    def soma(
        v: State, s: State(16), gate: State(2), u: State, z: State(16), e: State(16), bias: Weight, drive: Port,
        back: Port, tick: Input, phase: Input, phase_tick: Input, fire_phase: Param(0, 255),
        back_phase: Param(0, 255), f: Param(0, 20), passes: Switch,
    ):
        full = shift_left(1, f)
        v = v + drive + (bias if tick == 0 else 0)
        rounds = 1 if phase == fire_phase and phase_tick == 0 else 0
        up = 1 if v >= full or (rounds and 2 * v >= full) else 0
        down = 1 if s > 0 and (v <= -full or (rounds and 2 * v < -full)) else 0
        spike = up + down
        spike_payload = up - down
        v = v - shift_left(spike_payload, f)
        s = s + spike_payload
        gate = 1 if v > 0 or s > 0 else 0
        u = u + back
        settles = 1 if phase == back_phase and phase_tick == 0 else 0
        rise = 1 if u >= full or (settles and (2 * u > full or (2 * u == full and z >= 0))) else 0
        fall = 1 if u <= -full or (settles and (2 * u < -full or (2 * u == -full and z <= 0))) else 0
        error_payload = rise - fall if passes and gate else 0
        error = 1 if error_payload != 0 else 0
        u = u - shift_left(error_payload, f)
        z = z + error_payload
        e = (z if passes else shift_away(u, f)) if gate else 0
        return v, s, gate, u, z, e, spike, spike_payload, error, error_payload

    def end(e: State(16), moved: Sum):
        moved = moved - e
        return moved

    def commit(bias: Weight, moved: Sum, k: Param(0, 40), key: Key):
        bias = bias + shift_stochastic(moved, k, key, 0)
        return bias


def wire(network, projections, output, *, f=12, k=2, alpha=64, cap=4096, fine=0, bits=8, initial="he", seed=0):
    """A chain input -> hidden layers -> output learns by SpikeGrad in unary mode: `spikegrad`'s wiring, with this file's neurons.

    Options are those of `spikegrad`; ``cap`` bounds the ticks of every phase that lasts until quiet. Inputs come as packets of any
    payload in any ticks.
    """
    same = {"f": f, "k": k, "alpha": alpha, "fine": fine, "bits": bits, "initial": initial, "seed": seed}
    net = ne.wire(network, "spikegrad", projections=projections, output=output, **same)
    deep = sum(isinstance(p.neuron, ne.Firmware) and p.neuron.program == "spikegrad.hidden" for p in net.populations)
    start = deep + 1

    def unary(population):
        neuron = population.neuron
        if not isinstance(neuron, ne.Firmware):
            return population
        params = dict(neuron.params)
        if neuron.program == "spikegrad.hidden":
            del params["s_max"]
            params["back_phase"] = start + 5 + deep - params["fire_phase"]
            return replace(population, neuron=ne.Firmware(f"{__name__}.hidden", params, neuron.switches))
        if "start" in params:  # the output and its helper
            params["start"] = start
        if neuron.program == "spikegrad.output":
            return replace(population, neuron=ne.Firmware(neuron.program, params | {"fire_phase": deep}, {"unary": 1}))
        return replace(population, neuron=replace(neuron, params=params))

    phases = [ne.Phase(n, cap, until_quiet=True) for n in range(start)]
    phases += [ne.Phase(n, 1, learning=True) for n in range(start, start + 4)]
    phases += [ne.Phase(n, cap, learning=True, until_quiet=True) for n in range(start + 4, start + 5 + deep)]
    return replace(
        net,
        populations=tuple(unary(p) for p in net.populations),
        phases=tuple(phases),
        modulators=(*(m for m in net.modulators if m.population != output), ne.Modulator(output, 0)),
    )
