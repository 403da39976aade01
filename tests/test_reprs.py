"""What a session at the prompt shows of the large objects is a line, not their arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import neuroemu as ne


def things() -> dict[str, Any]:
    path, inputs, _ = ne.demo_data()
    network, chip = ne.read_nir(path), ne.load_chip("loihi1")
    image = ne.compile(network, chip, weight_bits=8)
    events = ne.stimulus(inputs[:, :4], {"input": 64})
    run = ne.run(image, events, engine="python")
    weights, registers = {"p": np.zeros(40, np.int64)}, {"h.trace": np.zeros(12, np.int64)}
    return {
        "network": network, "chip": chip, "image": image, "stimulus": events, "events": events.events["input"], "run": run,
        "spikes": run.spikes, "memory": ne.Memory(weights, registers, 7), "report": ne.report(run),
        "dataset": ne.load_dataset("digits")[0],
    }  # fmt: skip


THINGS = things()
N, SPIKES = THINGS["events"].neuron.size, len(THINGS["run"].spikes)
EXPECTED = {
    "network": "Network(input (64), 1 (48), 3 (10); 2 projections; outputs 3)",
    "chip": "Chip('loihi1', 128 cores, 'cores/loihi1.toml')",
    "image": f"Image(58 neurons and {64 * 48 + 48 * 10 - 30} synapses on 1 of 128 cores of 'loihi1')",
    "stimulus": f"Stimulus(4 presentations of 20 rows, {N} packets of 'input')",
    "events": f"Events({N} packets, 4 presentations of 20 rows)",
    "run": f"Run(4 presentations of 22 ticks, {SPIKES} packets, engine 'python', image {THINGS['image'].digest[:12]})",
    "spikes": f"Spikes({SPIKES} packets)",
    "memory": "Memory(40 weights, 12 registers, 7 commits)",
    "report": f"Report('loihi1', 4 inferences, at least {THINGS['report'].total_fj / 4e6:.4g} nJ each)",
    "dataset": "Dataset('digits', 1347 samples of shape (8, 8), 10 classes)",
}


@pytest.mark.parametrize("name", THINGS)
def test_a_large_object_is_shown_in_a_line(name: str) -> None:
    assert repr(THINGS[name]) == EXPECTED[name]


def test_a_network_of_many_populations_names_six() -> None:
    network = ne.Network([ne.Population(f"p{k}", k + 1, ne.HostInput()) for k in range(9)], [])
    assert repr(network) == "Network(p0 (1), p1 (2), p2 (3), p3 (4), p4 (5), p5 (6), 3 more; 0 projections; outputs )"
