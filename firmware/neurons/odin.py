"""ODIN's LIF soma: an unsigned 8-bit potential that saturates at both ends (Frenkel et al. 2019; lif_neuron_state.v).

    v = max(v - leak, 0);  v = min(v + exc, 255);  v = max(v - inh, 0);  a spike and v = 0 if v >= threshold

Weights are magnitudes: excitatory sources feed port exc, inhibitory ones inh. A tick is one time-reference event (the leak) and
then the tick's spikes. ODIN adds them one by one, saturating and comparing after each; here all of a tick's excitation comes first,
then its inhibition, and the neuron spikes at most once. The two agree when a tick holds one spike; where it holds several this neuron fires
less and at other ticks, and the run's notes say so. odin_event.py is the chip's, event by event.
"""
from neuroemu.isa import Param, Port, State, clamp


def soma(v: State(9), exc: Port, inh: Port, leak: Param(0, 127, init=0), threshold: Param(0, 255)):
    v = max(v - leak, 0)
    v = clamp(v + exc, 0, 255)
    v = clamp(v - inh, 0, 255)
    spike = 1 if v >= threshold else 0
    v = 0 if spike else v
    return v, spike
