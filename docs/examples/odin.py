"""ODIN takes one event after the other: ticks that hold several are not what the chip does, and an event a tick is."""

import textwrap

import numpy as np

import neuroemu as ne

rng = np.random.default_rng(4)
weight, ticks = rng.integers(1, 8, (40, 10)), (rng.random((50, 40)) < 0.15).astype(int)
chip = ne.load_chip("odin")


def crossbar(neuron: str, *, reference: bool) -> ne.Network:
    """Forty excitatory sources, ten neurons; time references from an input of their own, or a tick each."""
    soma = ne.Firmware(neuron, {"threshold": 30, "leak": 2})
    network = ne.Network(
        [ne.Population("in", 40, ne.HostInput()), ne.Population("out", 10, soma)],
        [ne.Projection("in", "out", weight, routes={"input": [("exc", "weight")]})],
        outputs=["out"],
    )
    if reference:
        every = ne.Projection("tref", "out", np.ones((1, 10), int), routes={"input": [("tref", "weight")]})
        network = network.add(ne.Population("tref", 1, ne.HostInput()), every)
    return network


stimulus = ne.stimulus({"in": ticks}, {"in": 40})
events, tick = ne.one_event_a_tick(stimulus)
print(f"{stimulus.rows} ticks become {events.rows}: a time reference each, and {ticks.sum()} spikes")
for neuron, given in (("odin", stimulus), ("odin_event", events)):
    network = crossbar(neuron, reference=neuron == "odin_event")
    run = ne.run(ne.compile(network, chip), given, engine="event")
    costs = ne.report(run)
    print(f"{neuron}: {len(run.spikes)} spikes, {costs.total_fj / 1e6:.0f} nJ, {run.time_ps / 1e9:.2f} ms")
    for note in run.notes:
        print(textwrap.fill(note, 120, initial_indent="  note: ", subsequent_indent="  "))
