"""ODIN's LIF soma event by event, as its Verilog has it (Frenkel et al. 2019; lif_neuron.v): a tick holds one AER event.

    a spike of an excitatory source, on port exc:    v = min(v + w, 255)
    a spike of an inhibitory source, on port inh:    v = max(v - w, 0)
    a time reference, on port tref (weight 1):       v = max(v - leak, 0)
    after each of them:                              a spike and v = 0 if v >= threshold

ODIN adds, saturates and compares after every single event, so a tick must hold one: `ne.one_event_a_tick` makes such input. A tick that
holds several is one addition of them all, and the run's notes say so. At threshold 0 the neuron spikes in every tick; the chip does at
every event. Left out: what a chip of several neurons does in between, since a neuron's own spikes act a tick later here, among the
input's; the FIFO of 32 events, which forgets what comes when it is full; virtual events and single-neuron time references.
"""
from neuroemu.isa import Param, Port, State, clamp


def soma(v: State(9), exc: Port, inh: Port, tref: Port, leak: Param(0, 127, init=0), threshold: Param(0, 255)):
    v = clamp(v + exc - inh - (leak if tref else 0), 0, 255)
    spike = 1 if v >= threshold else 0
    v = 0 if spike else v
    return v, spike
