"""ODIN's SDSP, spike-driven synaptic plasticity, event by event (Frenkel et al. 2019; sdsp_update.v, lif_calcium.v).

    a source spikes:   w += 1 if v >= thetamem and theta1 <= ca < theta3,     w -= 1 if v < thetamem and theta1 <= ca < theta2

w stays within 0..7. v and ca, the neuron's calcium, are those before the event, and the neuron takes the weight as it was. Calcium,
0..7, is one more at a spike of the neuron and one less at every caleak-th time reference (0: never); both at once change nothing.
The neuron is that of neurons/odin_event.py: a tick holds one event, which `ne.one_event_a_tick` makes, and what is left out there is
left out here. Without calcium (calcium = 0) a neuron's synapses stay as they are. ODIN's mapping bit, which lets single synapses
learn, is not here: give what learns a projection of its own.
"""

from neuroemu.isa import Param, Port, Post, State, Weight, clamp


class neuron:
    """The LIF neuron with calcium; `since` counts time references, `up` and `down` say what a source's next spike does."""

    def soma(
        v: State(9),
        ca: State(4),
        since: State(6),
        up: State(2),
        down: State(2),
        exc: Port,
        inh: Port,
        tref: Port,
        leak: Param(0, 127, init=0),
        threshold: Param(0, 255),
        calcium: Param(0, 1, init=1),
        thetamem: Param(0, 255),
        theta1: Param(0, 7),
        theta2: Param(0, 7),
        theta3: Param(0, 7),
        caleak: Param(0, 31),
    ):
        v = clamp(v + exc - inh - (leak if tref else 0), 0, 255)
        spike = 1 if v >= threshold else 0
        v = 0 if spike else v
        since = min(since + (1 if tref else 0), 31)
        fades = 1 if caleak > 0 and since >= caleak else 0
        since = 0 if fades else since
        ca = clamp(ca + spike - fades, 0, 7) if calcium else ca
        learns = 1 if calcium and ca >= theta1 else 0
        up = 1 if learns and v >= thetamem and ca < theta3 else 0
        down = 1 if learns and v < thetamem and ca < theta2 else 0
        return v, ca, since, up, down, spike


class synapse:
    """A weight of 3 bits that a spike of its source moves by one."""

    ONLINE = True

    def arrive_synapse(w: Weight, up: Post(2), down: Post(2)):
        w = clamp(w + up - down, 0, 7)
        return w


def wire(
    network, projections, output, *, thetamem=128, theta1=1, theta2=4, theta3=7, caleak=1, calcium=1
):
    """Let spikes on the ports exc and inh move the weights they pass; what ends at port tref stays as it is.

    The projections end at populations of `odin_event`, whose leak and threshold stay. The options are parameters of the neuron, one
    for all or one a neuron; their defaults are ours. `output` plays no part. Raises NetworkError.
    """
    from dataclasses import replace

    import neuroemu as ne

    del output
    given = {"thetamem": thetamem, "theta1": theta1, "theta2": theta2, "theta3": theta3, "caleak": caleak}
    learned, posts = [], set()
    for p in network.projections:
        ports = {port for entries in (p.routes or {}).values() for port, _ in entries}
        if p.label in projections and ports != {"tref"}:
            posts.add(p.post)
            p = replace(p, rule=f"{__name__}.synapse")
        learned.append(p)
    if not posts:
        raise ne.NetworkError(
            f"odin_sdsp learns on ports exc and inh, but of {', '.join(projections) or 'none'} none ends there; "
            "name some that do"
        )
    populations = []
    for p in network.populations:
        if p.name in posts:
            program = getattr(p.neuron, "program", None)
            if program not in ("odin_event", f"{__name__}.neuron"):
                raise ne.NetworkError(
                    f"odin_sdsp learns at neurons 'odin_event', population '{p.name}' has "
                    f"'{program or type(p.neuron).__name__}'; give it ne.Firmware('odin_event', ...)"
                )
            p = replace(p, neuron=ne.Firmware(f"{__name__}.neuron", {**p.neuron.params, **given, "calcium": calcium}))
        populations.append(p)
    return replace(network, populations=tuple(populations), projections=tuple(learned))
