"""A crossbar in which a neuron's packets find the row of its address: rows are shared by neurons and inputs, in closed loops."""

from __future__ import annotations

import numpy as np
from fails import fails
from limited import SOMA, cores, small

import neuroemu as ne


def two_layers(n_in: int, hidden: int, out: int, neuron: ne.Firmware, port: str) -> ne.Network:
    """Dense from a host into 'a', and from there into 'b', whose spikes go nowhere."""
    populations = [ne.Population("in", n_in, ne.HostInput())]
    populations += [ne.Population(name, n, neuron) for name, n in (("a", hidden), ("b", out))]
    return ne.Network(
        populations,
        [
            ne.Projection("in", "a", np.ones((n_in, hidden), int), routes={"input": [(port, "weight")]}),
            ne.Projection("a", "b", np.ones((hidden, out), int), routes={"spike": [(port, "weight")]}),
        ],
    )


def on_odin(n_in: int, hidden: int, out: int) -> ne.Image:
    network = two_layers(n_in, hidden, out, ne.Firmware("odin", {"threshold": 7}), "exc")
    return ne.compile(network, ne.load_chip("odin"))


def refusal(neurons: int) -> str:
    return (
        "cores/odin.toml: no core left for population 'b' from neuron 0 on, the network takes 2 cores and odin has 1 (odin); "
        f"{neurons} neurons and 150 inputs share its 256 rows (odin); "
        "make it smaller, or choose a larger chip (there is room on atlas, generic45, loihi2)"
    )


def test_odins_rows_are_shared_by_its_inputs_and_all_its_neurons() -> None:
    """150 inputs and 60 + 46 neurons, of which 46 send nowhere: 256 rows. 60 + 100 would need 310."""
    assert on_odin(150, 60, 46).usage[0] == {"neurons": 106, "axons_in": 256, "axons_out": 60, "synapse_words": 1560}
    for out in (47, 100):
        with fails(ne.CapacityError, refusal(60 + out)):
            on_odin(150, 60, out)


def test_an_open_loop_leaves_the_rows_to_the_inputs() -> None:
    network = ne.Network(
        [ne.Population("in", 256, ne.HostInput()), ne.Population("a", 256, ne.Firmware("odin", {"threshold": 7}))],
        [ne.Projection("in", "a", np.ones((256, 256), int), routes={"input": [("exc", "weight")]})],
    )
    assert ne.compile(network, ne.load_chip("odin")).usage[0]["axons_in"] == 256


def test_a_loop_is_closed_on_a_core_of_its_own() -> None:
    """4 + 5 + 7 rows on one core; on two, the layers are apart and neither hears itself."""
    network = two_layers(4, 5, 7, SOMA, "drive")
    one = ne.compile(network, small(1, own_rows=1, axons_in=16))
    assert (one.usage[0]["axons_in"], cores(one, "b")) == (16, [(0, 0, 7)])
    two = ne.compile(network, small(2, own_rows=1, axons_in=15))
    assert {core: held["axons_in"] for core, held in two.usage.items()} == {0: 4, 1: 5}
    assert ne.compile(network, small(1, axons_in=9)).usage[0]["axons_in"] == 9  # where an axon is a source's
    with fails(
        ne.CapacityError,
        "small.toml: no core left for population 'b' from neuron 0 on, the network takes 2 cores and generic45 has 1 (choice); "
        "12 neurons and 4 inputs share its 15 rows (choice); "
        "make it smaller, or choose a larger chip (there is room on atlas, generic45, loihi1, loihi1_fit, loihi2)",
    ):
        ne.compile(network, small(1, own_rows=1, axons_in=15))
    with fails(
        ne.CapacityError,
        "small.toml: placement of population 'b' on core 0 needs 16 axons in on one core, generic45 has 10 (choice); "
        "put at most 1 neurons from neuron 0 on there",
    ):
        ne.compile(network, small(2, own_rows=1, axons_in=10), placement={"a": [(0, 5)], "b": [(0, 7)]})


def test_a_core_that_hears_one_of_its_neurons_has_a_row_for_each() -> None:
    """Neuron 0 of three sends to itself; a second population, which sends nowhere, takes rows too."""
    network = ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("a", 3, SOMA), ne.Population("b", 4, SOMA)],
        [ne.Projection("in", "a", np.ones((2, 3))), ne.Projection("a", "a", ne.Sparse([0], [0], [1]))],
    )
    assert ne.compile(network, small(1, own_rows=1)).usage[0]["axons_in"] == 2 + 3 + 4
    assert ne.compile(network, small(1)).usage[0]["axons_in"] == 3
