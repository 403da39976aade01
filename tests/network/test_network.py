"""What a network cannot be is refused when it is built; what its numbers cannot be, when they are first read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fails import fails

import neuroemu as ne
from neuroemu.base.errors import NetworkError, UnknownNameError
from neuroemu.network.synapses import synapses

SOMA = ne.Firmware("if", {"threshold": 9})
IN = ne.Population("in", 2, ne.HostInput())
ONE = np.ones((2, 2))


def network(
    neuron: Any = SOMA, size: Any = 2, weight: Any = ONE, conventions: Any = None, **projection: Any
) -> ne.Network:
    """A host of two neurons into population 'a' through projection 'p'."""
    return ne.Network(
        [IN, ne.Population("a", size, neuron)],
        [ne.Projection("in", "a", weight, "p", **projection)],
        outputs=["a"],
        conventions=conventions or ne.Conventions(),
    )


BUILDS: dict[str, tuple[Callable[[], Any], str]] = {
    "dt of zero": (
        lambda: ne.Conventions(dt=0),
        "convention dt is 0; give the length of a tick in seconds, above 0",
    ),
    "dt without end": (
        lambda: ne.Conventions(dt=np.inf),
        "convention dt is inf; give the length of a tick in seconds, above 0",
    ),
    "dt in words": (
        lambda: ne.Conventions(dt="1 ms"),  # type: ignore[arg-type]
        "convention dt is '1 ms'; give the length of a tick in seconds, above 0",
    ),
    "reset": (
        lambda: ne.Conventions(reset="none"),  # type: ignore[arg-type]
        "convention reset is 'none'; choose one of zero, subtract",
    ),
    "spike_if": (
        lambda: ne.Conventions(spike_if="<"),  # type: ignore[arg-type]
        "convention spike_if is '<'; choose one of >, >=",
    ),
    "spikes a tick": (
        lambda: ne.Conventions(max_spikes=2),
        "convention max_spikes is 2; a neuron sends at most one packet per channel and tick, use 1 and a smaller dt",
    ),
    "two populations": (
        lambda: ne.Network([IN, IN]),
        "two populations are called 'in'; give each its own name",
    ),
    "two projections": (
        lambda: network().add(ne.Projection("in", "a", ONE, "p")),
        "two projections are called 'p'; give each its own name",
    ),
    "two projections without names": (
        lambda: ne.Network([IN, ne.Population("a", 2, SOMA)], [ne.Projection("in", "a", ONE)] * 2),
        "two projections are called 'in->a'; give each its own name",
    ),
    "a population and a projection": (
        lambda: network().add(ne.Projection("in", "a", ONE, "a")),
        "a population and a projection are called 'a'; give each its own name",
    ),
    "no name": (
        lambda: ne.Network([ne.Population("", 2, SOMA)]),
        "the name of a population is empty; give it another",
    ),
    "a number for a name": (
        lambda: ne.Network([ne.Population(3, 2, SOMA)]),  # type: ignore[arg-type]
        "the name of a population is 3, no string; give it another",
    ),
    "half a character": (
        lambda: ne.Network([ne.Population("a\ud800", 2, SOMA)]),
        "the name of a population holds '\\ud800', which cannot be printed; give it another",
    ),
    "a name that ends early in an archive": (
        lambda: network().add(ne.Projection("in", "a", ONE, "q\0r")),
        "the name of a projection holds '\\x00', which cannot be printed; give it another",
    ),
    "a name that no archive takes": (
        lambda: network().add(ne.Projection("in", "a", ONE, "q" * 70_000)),
        "the name of a projection has 70000 characters, 4000 is the most; give it another",
    ),
    "no neuron": (
        lambda: network(size=0),
        "population 'a' has size 0; give a whole number of at least one neuron, or a shape",
    ),
    "two negative sides": (
        lambda: network(size=(-2, -1)),
        "population 'a' has size (-2, -1); give a whole number of at least one neuron, or a shape",
    ),
    "no sides": (
        lambda: network(size=()),
        "population 'a' has size (); give a whole number of at least one neuron, or a shape",
    ),
    "half a neuron": (
        lambda: network(size=2.5),
        "population 'a' has size 2.5; give a whole number of at least one neuron, or a shape",
    ),
    "into the host": (
        lambda: network(ne.HostInput()),
        "projection 'p' ends at host input 'a'; the host takes no synapses",
    ),
    "host as output": (
        lambda: ne.Network([IN], outputs=["in"]),
        "output 'in' is a host input; read out a population on the chip",
    ),
    "empty phase": (
        lambda: ne.Network([IN], phases=[ne.Phase(0, 0)]),
        "phase 0 lasts 0 ticks; phases are numbered 0..255 and last at least 1 tick",
    ),
    "high phase": (
        lambda: ne.Network([IN], phases=[ne.Phase(256, 1)]),
        "phase 256 lasts 1 ticks; phases are numbered 0..255 and last at least 1 tick",
    ),
    "early modulator": (
        lambda: ne.Network([IN], modulators=[ne.Modulator("in", -1)]),
        "modulator of population 'in' is at tick -1; ticks count from 0",
    ),
    "channel of a host": (
        lambda: network(routes={"spike": [("drive", "weight")]}),
        "projection 'p': route for channel 'spike'; the host sends on input",
    ),
    "channel of a neuron": (
        lambda: network().add(ne.Projection("a", "a", ONE, "r", routes={"input": [("drive", "weight")]})),
        "projection 'r': route for channel 'input'; neurons send on spike, error, probe, inhibit",
    ),
    "route without a mode": (
        lambda: network(routes={"input": ["drive"]}),
        "projection 'p': route entry 'drive' of channel 'input' is not understood; write (port, 'weight') or (port, 'weight*payload')",
    ),
    "route of another mode": (
        lambda: network(routes={"input": [("drive", "payload")]}),
        "projection 'p': route entry ('drive', 'payload') of channel 'input' is not understood; "
        "write (port, 'weight') or (port, 'weight*payload')",
    ),
    "route that is a number": (
        lambda: network(routes={"input": [3]}),
        "projection 'p': route entry 3 of channel 'input' is not understood; write (port, 'weight') or (port, 'weight*payload')",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BUILDS)
def test_network_is_refused(name: str) -> None:
    build, text = BUILDS[name]
    with fails(NetworkError, text):
        build()


UNKNOWN: dict[str, tuple[Callable[[], Any], str]] = {
    "source": (
        lambda: network().add(ne.Projection("inn", "a", ONE, "q")),
        "no population named 'inn'; did you mean 'in'? there are: in, a",
    ),
    "target": (lambda: network().add(ne.Projection("in", "b", ONE, "q")), "no population named 'b'; there are: in, a"),
    "output": (lambda: ne.Network(outputs=["x"]), "no population named 'x'; there are: none"),
    "probe": (lambda: ne.Network([IN], probes=[("x", "v")]), "no population named 'x'; there are: in"),
    "modulator": (lambda: ne.Network([IN], modulators=[ne.Modulator("x", 0)]), "no population named 'x'; there are: in"),
    "projection": (lambda: network().projection("q"), "no projection named 'q'; there are: p"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_name_is_refused(name: str) -> None:
    build, text = UNKNOWN[name]
    with fails(UnknownNameError, text):
        build()


def sparse(pre: Any = (0, 1), post: Any = (0, 1), weight: Any = (1, 2), delay: Any = None) -> ne.Sparse:
    return ne.Sparse(pre, post, weight, delay)


SYNAPSES: dict[str, tuple[dict[str, Any], str]] = {
    "transposed": (
        {"weight": np.ones((3, 2))},
        "projection 'p': weight has shape (3, 2), its populations need (2, 2); rows are pre, columns post (NIR's matrices are transposed)",
    ),
    "complex": ({"weight": [[1j, 2]]}, "projection 'p': weight holds complex numbers; give real ones"),
    "words": ({"weight": [["a", "b"]]}, "projection 'p': weight is not numeric; give numbers"),
    "ragged": ({"weight": [[1], [1, 2]]}, "projection 'p': weight is not numeric; give numbers"),
    "not a number": ({"weight": [[1, np.nan], [1, 1]]}, "projection 'p': weight holds nan; give finite numbers"),
    "endless": ({"weight": sparse(weight=[1, -np.inf])}, "projection 'p': weight holds -inf; give finite numbers"),
    "pre past the end": ({"weight": sparse([0, 2])}, "projection 'p': pre index 2 is outside 0..1; correct the list"),
    "post below 0": ({"weight": sparse(post=[-7, 5])}, "projection 'p': post index -7 is outside 0..1; correct the list"),
    "pre past integers": (
        {"weight": sparse([0, 1e30])},
        "projection 'p': pre index 2147483648 is outside 0..1; correct the list",
    ),
    "post between": ({"weight": sparse(post=[0, 0.5])}, "projection 'p': post index 0.5 is not a whole number; correct the list"),
    "delay below 0": ({"delay": -1}, "projection 'p': delay -1 is not a whole number of ticks from 0 to 2147483647; correct it"),
    "delay between": (
        {"weight": sparse(delay=[0, 1.5])},
        "projection 'p': delay 1.5 is not a whole number of ticks from 0 to 2147483647; correct it",
    ),
    "delay past integers": ({"delay": 1e30}, "projection 'p': delay 1e+30 is not a whole number of ticks from 0 to 2147483647; correct it"),
    "delay stated twice over": (
        {"delay": [1, 2]},
        "projection 'p': delay has shape (2,), its weight (2, 2); give one, or one a synapse",
    ),
    "twice": (
        {"weight": sparse([1, 1], [0, 0])},
        "projection 'p': synapse 1 -> 0 at delay 0 is listed twice; add the weights into one",
    ),
    "short list": (
        {"weight": sparse([0], [0, 1], [1, 1, 1], [0, 0])},
        "projection 'p': lists have 1 pre, 2 post, 3 weight and 2 delay entries; give one of each per synapse",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SYNAPSES)
def test_synapses_are_refused(name: str) -> None:
    projection, text = SYNAPSES[name]
    with fails(NetworkError, text):
        ne.compile(network(**projection), ne.load_chip("generic45"))


def test_synapses_come_in_the_order_of_their_ids() -> None:
    lists = ne.Sparse([1, 0, 1, 1], [0, 1, 1, 0], [5, 6, 7, 8], [3, 0, 0, 1])
    pre, post, weight, delay = synapses(ne.Projection("in", "a", lists), 2, 2)
    assert list(zip(pre, post, delay, weight, strict=True)) == [(0, 1, 0, 6), (1, 0, 1, 8), (1, 0, 3, 5), (1, 1, 0, 7)]
    for every in (4, [4], np.full((2, 2), 4)):
        assert synapses(ne.Projection("in", "a", ONE, delay=every), 2, 2)[3].tolist() == [4] * 4
    assert synapses(ne.Projection("in", "a", sparse(delay=[2])), 2, 2)[3].tolist() == [2, 2]


def test_a_size_may_come_from_numpy() -> None:
    assert network(size=np.int64(2)).population("a").shape == (2,)
    assert network(size=[1, 2]).population("a").shape == (1, 2)


EXP = ne.Conventions(decay="exp")
VALUES: dict[str, tuple[Any, ne.Conventions | None, str]] = {
    "complex": (ne.LIF([1j, 1]), None, "population 'a': tau holds complex numbers; give real ones"),
    "words": (ne.LIF("fast"), None, "population 'a': tau is not numeric; give numbers"),
    "not a number": (ne.LIF(1e-3, r=[1, np.nan]), None, "population 'a': r holds nan; give finite numbers"),
    "endless threshold": (ne.IF(np.inf), None, "population 'a': v_threshold holds inf; give finite numbers"),
    "three for two": (
        ne.LIF(1e-3, bias=[1, 2, 3]),
        None,
        "population 'a': bias has 3 values for 2 neurons; give one, or one a neuron",
    ),
    "tau below the tick": (
        ne.CubaLIF(1e-3, [1e-3, 5e-5]),
        None,
        "population 'a': tau_mem is 5e-05 s, below the tick of 0.0001 s; use a smaller dt, or decay='exp'",
    ),
    "no tau in euler": (ne.LIF(0), None, "population 'a': tau is 0 s; a time constant is above 0"),
    "no tau": (ne.CubaLI(0, 1e-3), EXP, "population 'a': tau_syn is 0 s; a time constant is above 0"),
    "endless r": (ne.LIF(1e-3, r=np.inf), None, "population 'a': r is infinite but tau is not; give a finite r"),
    "endless w_in": (
        ne.CubaLI([1e-3, np.inf], 1e-3, w_in=[np.inf, 1]),
        None,
        "population 'a': w_in is infinite but tau_syn is not; give a finite w_in",
    ),
    "endless r without tau": (
        ne.IF(1, r=np.inf),
        None,
        "population 'a': r is infinite, an IF has no tau; give a finite r",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_value_of_a_neuron_is_refused(name: str) -> None:
    neuron, conventions, text = VALUES[name]
    net = network(neuron, conventions=conventions)
    with fails(NetworkError, text):
        ne.compile(net, ne.load_chip("generic45"))
    with fails(NetworkError, text):
        ne.simulate(net, np.ones((3, 1, 2)))


def test_a_tick_as_long_as_tau_forgets_everything() -> None:
    """The limit of the check above: decay 1, so v is the last tick's drive alone."""
    seen = ne.simulate(network(ne.LI(1e-4), weight=np.eye(2) * 3), np.ones((3, 1, 2)))
    assert seen.readout["a"].tolist() == [[3, 3]]


def test_infinite_r_and_tau_are_a_unit_gain() -> None:
    seen = ne.simulate(network(ne.LI(np.inf, r=np.inf), weight=np.eye(2) * 3), np.ones((4, 1, 2)))
    assert seen.readout["a"].tolist() == [[12, 12]]


def test_register_units_cannot_be_simulated_in_float() -> None:
    with fails(NetworkError, "population 'a' is in register units; only float models can be simulated in float"):
        ne.simulate(network(), np.ones((3, 1, 2)))
