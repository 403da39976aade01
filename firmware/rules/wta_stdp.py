"""Online STDP without timestamps, in a winner-take-all population (Thiele 2019, thesis, chapter 3, equations 3.1-3.4).

Every input has one flag: set when it spikes, cleared when a neuron of the population learns. Both accumulators integrate the same
input and neither leaks:

    v_learn >= theta_learn: the largest learns, and v_learn of all becomes 0
        w <- w + rise[w] where the flag is set, w - fall[w] elsewhere       w in 0..255, rounded stochastically from 8 more bits
    v_prop >= theta_prop: the largest spikes, and v_prop of all becomes 0

rise and fall are tables of 32 entries, alpha exp(-beta x) in the weight's distance x from the end it leaves (equation 3.2). Only the
order of events matters, no time; no homeostasis, and accumulators and flags outlive a presentation. Ties go to the lowest neuron.
"""

from dataclasses import replace

import numpy as np

import neuroemu as ne
from neuroemu.isa import Input, Keep, Key, Param, Port, PreKeep, Table, Weight, clamp, shift_floor, shift_stochastic

TOP = 255


class neuron:
    """A competitive neuron with two accumulators: v_learn learns, v_prop spikes; the winner empties those of all."""

    def soma(
        v_learn: Keep, v_prop: Keep, drive: Port, theta_learn: Param(1, 1000000000), theta_prop: Param(1, 1000000000)
    ):
        v_learn = v_learn + drive
        v_prop = v_prop + drive
        fire = 1 if v_learn >= theta_learn else 0
        spike = 1 if v_prop >= theta_prop else 0
        return v_learn, v_prop, fire, spike

    def settle(v_learn: Keep, v_prop: Keep, fire_any: Input, spike_any: Input):
        v_learn = 0 if fire_any else v_learn
        v_prop = 0 if spike_any else v_prop
        return v_learn, v_prop


class synapse:
    """STDP with one flag an input instead of times, damped by tables."""

    ONLINE = True

    def arrive(flag: PreKeep(2)):
        flag = 1
        return flag

    def fire_synapse(w: Weight, flag: PreKeep(2), key: Key, rise: Table(32, 0, 65535), fall: Table(32, 0, 65535)):
        level = clamp(shift_floor(w, 3), 0, 31)
        change = rise[level] if flag else -fall[level]
        w = clamp(w + shift_stochastic(change, 8, key, 0), 0, TOP)
        return w

    def fire_pre(flag: PreKeep(2)):
        flag = 0
        return flag


def wire(
    network, projections, output, *, theta=10.0, theta_prop=None, alpha=0.04, ratio=8.0, beta_plus=3.0, beta_minus=0.0, mean=0.67,
    spread=0.1, seed=0,
):
    """Make `output` a competitive population that learns its one projection.

    Thresholds count weights of 1, which is 255 in the register: about half of what a sample sends in all is a good theta (theta_prop:
    the same unless given). alpha is the largest rise of a weight of 0..1, alpha / ratio the largest fall, beta_plus and beta_minus
    damp them. Weights are drawn from N(mean, spread), cut to 0..1; mean=None keeps the network's, in register units.
    """
    into = [p for p in network.projections if p.label in projections]
    if len(into) != 1 or into[0].post != output:
        names = ", ".join(p.label for p in into) or "none"
        raise ne.NetworkError(
            f"wta_stdp learns one projection, into output '{output}'; it was given {names}: name that one"
        )
    learned = into[0]
    thetas = theta, theta if theta_prop is None else theta_prop
    params = {"theta_learn": round(thetas[0] * TOP), "theta_prop": round(thetas[1] * TOP)}
    competitive = replace(
        network.population(output),
        neuron=ne.Firmware(f"{__name__}.neuron", params),
        compete={"fire": "v_learn", "spike": "v_prop"},
    )
    middle = (np.arange(32) + 0.5) / 32
    tables = {
        "rise": np.rint(256 * TOP * alpha * np.exp(-beta_plus * middle)).astype(int),
        "fall": np.rint(256 * TOP * alpha / ratio * np.exp(-beta_minus * (1 - middle))).astype(int),
    }
    if mean is not None:
        normal = np.random.default_rng(seed).normal
        learned = ne.drawn(
            network, learned, lambda shape: np.rint(TOP * np.clip(normal(mean, spread, shape), 0, 1)).astype(int)
        )
    return ne.rewired(network, competitive, replace(learned, rule=f"{__name__}.synapse", params=tables))
