"""Placing and routing keep within every limit of a core: at the limit it fits, one past it the text says what and where."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from cases import firmware
from fails import fails
from hypothesis import given
from hypothesis import strategies as st
from limited import SOMA, cores, network, small

import neuroemu as ne
from neuroemu.base.errors import CapacityError


def test_chip_that_is_full() -> None:
    chip = small(2, neurons=4)
    assert cores(ne.compile(network(8), chip)) == [(0, 0, 4), (1, 4, 8)]
    with fails(
        CapacityError,
        "small.toml: no core left for population 'a' from neuron 8 on, the network takes 3 cores and generic45 has 2 (choice); "
        "make it smaller, or choose a larger chip (there is room on atlas, generic45, loihi1, loihi1_fit, loihi2)",
    ):
        ne.compile(network(9), chip)


SPLIT = "its first 4 neurons fit, allow splitting with split=True"
WHOLE = "and a neuron split over cores would sum otherwise"
ONE_CORE: dict[str, tuple[dict[str, int], ne.Network, ne.Network, bool, str]] = {
    "neurons of a population": (
        {"neurons": 4}, network(4), network(5), False,
        f"population 'a' needs 5 neurons on one core, generic45 has 4 (choice); {SPLIT}",
    ),
    "axons of a population": (
        {"axons_in": 4}, network(4, 4, np.eye(4)), network(5, 5, np.eye(5)), False,
        f"population 'a' needs 5 axons in on one core, generic45 has 4 (choice); {SPLIT}",
    ),
    # 16 bits a synapse: four to a word, and every source begins its own
    "words of a population": (
        {"synapse_words": 3}, network(4, 3), network(5, 3), False,
        f"population 'a' needs 6 synapse words on one core, generic45 has 3 (choice); {SPLIT}",
    ),
    "axons of a neuron": (
        {"axons_in": 3}, network(2, 3), network(2, 4), True,
        f"neuron 0 of population 'a' has a fan-in of 4 sources = 4 axons in on one core, generic45 has 3 (choice); "
        f"at most 3 sources fit, {WHOLE}",
    ),
    "words of a neuron": (
        {"synapse_words": 3}, network(1, 3), network(1, 4), True,
        "neuron 0 of population 'a' has a fan-in of 4 synapses = 4 synapse words on one core, generic45 has 3 (choice); "
        f"its first 3 fit, {WHOLE}",
    ),
    "axons of a later neuron": (
        {"axons_in": 3}, network(2, 4, [[1, 0], [1, 1], [1, 1], [0, 1]]), network(2, 4, [[1, 1], [1, 1], [1, 1], [0, 1]]), True,
        f"neuron 1 of population 'a' has a fan-in of 4 sources = 4 axons in on one core, generic45 has 3 (choice); "
        f"at most 3 sources fit, {WHOLE}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_CORE)
def test_what_must_be_on_one_core_fits_there(name: str) -> None:
    limits, fits, too_much, split, text = ONE_CORE[name]
    ne.compile(fits, small(**limits), split=split)
    with fails(CapacityError, f"small.toml: {text}"):
        ne.compile(too_much, small(**limits), split=split)


def from_sources(*sources: int) -> ne.Sparse:
    """Synapses from these host neurons to neuron 0, each at its own delay."""
    return ne.Sparse(sources, [0] * len(sources), [1] * len(sources), range(len(sources)))


def test_axons_of_all_delays_and_populations_add_up() -> None:
    """An axon is one source neuron on one core, however many delays and populations it serves there."""
    ne.compile(network(1, 9, from_sources(0, 1, 2, 3)), small(axons_in=4))
    with fails(
        CapacityError,
        "small.toml: neuron 0 of population 'a' has a fan-in of 5 sources = 5 axons in on one core, generic45 has 4 (choice); "
        f"at most 4 sources fit, {WHOLE}",
    ):
        ne.compile(network(1, 9, from_sources(0, 1, 2, 3, 4)), small(axons_in=4))

    def two(*sources: int) -> list[tuple[int, int, int]]:
        c = ne.Population("c", 1, SOMA), ne.Projection("in", "c", from_sources(*sources))
        return cores(ne.compile(network(1, 9, from_sources(0, 1, 2)).add(*c), small(axons_in=4)), "c")

    assert two(0, 1, 2, 3) == [(0, 0, 1)]
    assert two(3, 4) == [(1, 0, 1)]


def test_a_group_of_rivals_shares_a_core() -> None:
    def rivals(groups: list[int]) -> ne.Network:
        soma = ne.Firmware(firmware("rival"), {"threshold": 9})
        return network(5, neuron=soma, compete={"fire": "v_learn", "spike": "v_send"}, groups=groups)

    assert cores(ne.compile(rivals([0, 0, 1, 1, 1]), small(neurons=3))) == [(0, 0, 2), (1, 2, 5)]
    with fails(
        CapacityError,
        "small.toml: group of neurons 1..4 of population 'a' needs 4 neurons on one core, generic45 has 3 (choice); "
        "its first 3 neurons fit, make the group smaller",
    ):
        ne.compile(rivals([0, 1, 1, 1, 1]), small(neurons=3))
    with fails(
        CapacityError,
        "placement cuts population 'a' at neuron 3, inside a group that needs one core; cut between groups",
    ):
        ne.compile(rivals([0, 0, 1, 1, 1]), small(), placement={"a": [(0, 3), (1, 2)]})


def test_neurons_that_clear_their_axons_share_a_core() -> None:
    """A rule with fire_pre: the flag a firing clears is the axon's, of which each core has its own."""
    rule = ne.Projection("in", "a", np.ones((2, 5)), rule=firmware("online"), params={"down": 1, "up": 1})
    net = ne.Network([ne.Population("in", 2, ne.HostInput()), ne.Population("a", 5, SOMA)], [rule])
    assert cores(ne.compile(net, small(neurons=5))) == [(0, 0, 5)]
    with fails(
        CapacityError,
        "small.toml: group of neurons 0..4 of population 'a' needs 5 neurons on one core, generic45 has 4 (choice); "
        "its first 4 neurons fit, make the group smaller",
    ):
        ne.compile(net, small(neurons=4))


PLACEMENTS: dict[str, tuple[dict[str, list[tuple[int, int]]], str]] = {
    "a name that is not there": (
        {"b": [(0, 4)]},
        "placement names population 'b', which is not on the chip; name one of a",
    ),
    "the host": ({"in": [(0, 3)]}, "placement names population 'in', which is not on the chip; name one of a"),
    "too few": ({"a": [(0, 3)]}, "placement of population 'a' covers 3 of its 4 neurons; place each once"),
    "too many": ({"a": [(0, 3), (1, 2)]}, "placement of population 'a' covers 5 of its 4 neurons; place each once"),
    "fewer than none": (
        {"a": [(0, 3), (1, -1), (2, 2)]},
        "placement of population 'a' puts -1 neurons on core 1; put at least one",
    ),
    "past the last core": (
        {"a": [(0, 3), (8, 1)]},
        "placement of population 'a' names core 8, generic45 has cores 0..7 (choice); name one of these",
    ),
    "before the first core": (
        {"a": [(-1, 4)]},
        "placement of population 'a' names core -1, generic45 has cores 0..7 (choice); name one of these",
    ),
    "too many on one": (
        {"a": [(7, 4)]},
        "small.toml: placement of population 'a' on core 7 needs 4 neurons on one core, generic45 has 3 (choice); "
        "put at most 3 neurons from neuron 0 on there",
    ),
    "too many on one, together": (
        {"a": [(7, 2), (0, 1), (7, 1)], "c": [(7, 1)]},
        "small.toml: placement of population 'c' on core 7 needs 4 neurons on one core, generic45 has 3 (choice); "
        "put at most 0 neurons from neuron 0 on there",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACEMENTS)
def test_placement_is_refused(name: str) -> None:
    placement, text = PLACEMENTS[name]
    net = network(4).add(ne.Population("c", 1, SOMA)) if "c" in placement else network(4)
    with fails(CapacityError, text):
        ne.compile(net, small(neurons=3), placement=placement)


def test_placement_at_the_limits() -> None:
    image = ne.compile(network(4).add(ne.Population("c", 2, SOMA)), small(neurons=3), placement={"a": [(7, 3), (0, 1)]})
    assert cores(image) == [(7, 0, 3), (0, 3, 4)]
    assert cores(image, "c") == [(0, 0, 2)]  # the rest follow on the first cores with room


def test_a_key_addresses_every_axon() -> None:
    chip = small(axon=2)
    assert ne.compile(network(n_in=4), chip).routing.axon_core.size == 4
    with fails(
        CapacityError,
        "small.toml: neuron 0 of population 'a' has a fan-in of 5 sources = 5 axons in on one core, "
        f"a key of generic45 addresses 4 (choice); at most 4 sources fit, {WHOLE}",
    ):
        ne.compile(network(n_in=5), chip)


def test_routing_entries_of_a_core() -> None:
    """Each of a's four neurons sends to both cores of b: eight entries, on the core of a."""
    net = network(4).add(ne.Population("b", 2, SOMA), ne.Projection("a", "b", np.ones((4, 2))))
    place = {"a": [(3, 4)], "b": [(0, 1), (5, 1)]}
    ne.compile(net, small(axons_out=8), placement=place)
    with fails(
        CapacityError,
        "small.toml: core 3 with 'a' needs 8 routing entries, generic45 has 7 axons out (choice); "
        "the first 3 of its 4 neurons fit, put the rest elsewhere, or their targets on fewer cores",
    ):
        ne.compile(net, small(axons_out=7), placement=place)
    ne.compile(net, small(axons_out=7), placement={"a": [(3, 4)], "b": [(0, 2)]})


def use(image: ne.Image) -> dict[str, Counter[int]]:
    """Neurons, axons and words of memory on every core, counted one synapse at a time."""
    rows: Counter[tuple[int, int, int, int]] = Counter()
    for k, projection in enumerate(image.projections):
        core_of = image.populations[projection.post].core_of
        for part in projection.parts:
            pre = np.repeat(np.arange(part.indptr.size - 1), np.diff(part.indptr))
            rows.update(
                (int(core_of[j]), projection.pre, int(i), 100 * k + part.delay)
                for i, j in zip(pre, part.post, strict=True)
            )
    words: Counter[int] = Counter()
    for (core, *_), synapses in rows.items():
        words[core] += -(-synapses * 16 // 64)
    neurons = Counter(int(core) for p in image.populations if not p.is_host for core in p.core_of)
    axons = Counter(core for core, _, _ in {row[:3] for row in rows})
    return {"neurons": neurons, "axons_in": axons, "synapse_words": words}


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(*[st.integers(1, 9)] * 3),
    limits=st.fixed_dictionaries(
        {}, optional={"neurons": st.integers(1, 9), "axons_in": st.integers(2, 12), "synapse_words": st.integers(2, 20)}
    ),
    split=st.booleans(),
)
def test_placing_keeps_every_limit_and_every_synapse(
    seed: int, sizes: tuple[int, int, int], limits: dict[str, int], split: bool
) -> None:
    rng = np.random.default_rng(seed)

    def weights(n_pre: int, n_post: int) -> np.ndarray:
        return rng.integers(-3, 4, (n_pre, n_post)) * (rng.random((n_pre, n_post)) < 0.5)

    n_in, n_a, n_b = sizes
    net = ne.Network(
        [ne.Population("in", n_in, ne.HostInput()), ne.Population("a", n_a, SOMA), ne.Population("b", n_b, SOMA)],
        [
            ne.Projection("in", "a", weights(n_in, n_a), delay=rng.integers(0, 2, (n_in, n_a))),
            ne.Projection("a", "b", weights(n_a, n_b)),
            ne.Projection("b", "b", weights(n_b, n_b)),
        ],
    )
    free = ne.compile(net, small(27))
    try:
        image = ne.compile(net, small(27, **limits), split=split)
    except CapacityError:
        # a refusal is right if one neuron alone, or a whole population, breaks a limit: no cut can help then
        pieces = (
            {"a": [(k, 1) for k in range(n_a)], "b": [(9 + k, 1) for k in range(n_b)]}
            if split
            else {"a": [(0, n_a)], "b": [(1, n_b)]}
        )
        alone = use(ne.compile(net, small(27), placement=pieces))
        assert any(max(alone[name].values(), default=0) > limit for name, limit in limits.items())
        return
    for name, limit in limits.items():
        assert max(use(image)[name].values(), default=0) <= limit
    for population in image.populations[1:]:
        edges = [0, *(s.high for s in population.slices)]
        assert [s.low for s in population.slices] == edges[:-1]
        assert edges[-1] == population.n
        assert split or len(population.slices) == 1
    slots = [(s.core, s.slot + k) for p in image.populations for s in p.slices for k in range(s.high - s.low)]
    assert len(set(slots)) == n_a + n_b
    for placed, unplaced, said in zip(image.projections, free.projections, net.projections, strict=True):
        assert sum(part.post.size for part in placed.parts) == np.count_nonzero(said.weight)
        for ours, theirs in zip(placed.parts, unplaced.parts, strict=True):
            assert np.array_equal(ours.post, theirs.post)
            assert np.array_equal(ours.weight, theirs.weight)
            assert np.array_equal(ours.ids, theirs.ids)
