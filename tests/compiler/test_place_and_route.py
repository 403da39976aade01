"""The automatic placer keeps every limit of a datasheet: what one neuron sends, too, which only routing knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fails import fails
from hypothesis import given
from hypothesis import strategies as st
from limited import cores, small

import neuroemu as ne
from neuroemu.base.errors import CapacityError
from neuroemu.chip.chip import parse_chip

SOMA = ne.Firmware("if", {"threshold": 0})


def chain(*sizes: int, weights: Any = None, **extra: int) -> ne.Network:
    """A host 'in' of one neuron into 'a', then 'a' into 'b' and so on, dense; ``extra`` populations are fed by nothing."""
    names = ["in", *"abcdefgh"[: len(sizes)]]
    shapes = [1, *sizes]
    populations = [ne.Population("in", 1, ne.HostInput())]
    populations += [ne.Population(name, n, SOMA) for name, n in zip(names[1:], sizes, strict=True)]
    projections = [
        ne.Projection(
            names[k], names[k + 1], np.ones((shapes[k], shapes[k + 1])) if weights is None or k == 0 else weights
        )
        for k in range(len(sizes))
    ]
    return ne.Network(populations + [ne.Population(name, n, SOMA) for name, n in extra.items()], projections)


def same_spikes(network: ne.Network, image: ne.Image, n_in: int = 1) -> bool:
    """The image spikes as on a chip without limits."""
    stimulus = np.random.default_rng(1).integers(0, 2, (2, 6, n_in))
    one, other = (ne.run(each, stimulus, engine="python") for each in (image, ne.compile(network, small(64))))
    assert len(one.spikes) > 0
    return one.spikes == other.spikes


def onto(n: int, fan: int) -> np.ndarray:
    """Neuron j to neurons fan * j .. fan * j + fan - 1."""
    return np.kron(np.eye(n), np.ones((1, fan)))


# ---- a limit each: at the limit in so many cores, one tighter in more
TWO_KINDS = ne.Network(
    [ne.Population("in", 2, ne.HostInput()), ne.Population("a", 6, SOMA)],
    [ne.Projection("in", "a", np.ones((2, 6)), delay=np.array([[0, 0, 0, 1, 1, 1]] * 2))],
    outputs=["a"],
)
EYE = ne.Network(
    [ne.Population("in", 6, ne.HostInput()), ne.Population("a", 6, SOMA)], [ne.Projection("in", "a", np.eye(6))]
)
LIMITS: dict[str, tuple[ne.Network, dict[str, int], int, dict[str, int], int]] = {
    "neurons": (chain(6), {"neurons": 6}, 1, {"neurons": 5}, 2),
    "axons in": (EYE, {"axons_in": 6}, 1, {"axons_in": 5}, 2),
    "axons of a key": (EYE, {"axon": 3}, 1, {"axon": 2}, 2),
    "axons of a key, and stated": (EYE, {"axon": 2, "axons_in": 5}, 2, {"axon": 1, "axons_in": 5}, 3),
    "words": (EYE, {"synapse_words": 6}, 1, {"synapse_words": 5}, 2),
    "kinds": (TWO_KINDS, {"axon_kinds": 2}, 1, {"axon_kinds": 1}, 2),
    "axons out": (chain(6, 6), {"axons_out": 6, "neurons": 6}, 2, {"axons_out": 5, "neurons": 6}, 3),
    "targets": (chain(3, 6, weights=onto(3, 2)), {"targets": 2, "neurons": 3}, 3, {"targets": 1, "neurons": 3}, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_one_below_a_limit_takes_more_cores_and_no_other_spike(name: str) -> None:
    network, at, n_at, below, n_below = LIMITS[name]
    for limits, n in ((at, n_at), (below, n_below)):
        image = ne.compile(network, small(n, **limits))
        assert image.n_cores == n
        assert image.digest == ne.compile(network, small(n, **limits)).digest
        assert same_spikes(network, image, network.populations[0].n)
    with fails(
        CapacityError,
        f"small.toml: no core left for population '{network.populations[-1].name}' from neuron {LAST[name]} on, "
        f"the network takes {n_below} cores and generic45 has {n_below - 1} (choice); "
        "make it smaller, or choose a larger chip (there is room on atlas, generic45, loihi1, loihi1_fit, loihi2)",
    ):
        ne.compile(network, small(n_below - 1, **below))


LAST = {
    "neurons": 5, "axons in": 5, "axons of a key": 4, "axons of a key, and stated": 4, "words": 5, "kinds": 3,
    "axons out": 0, "targets": 4,
}  # fmt: skip


# ---- what a core sends
def test_senders_are_spread_until_their_routing_entries_fit() -> None:
    """Ten neurons that reach three cores each: 30 entries, 12 a core."""
    network = chain(10, 30)
    image = ne.compile(network, small(32, neurons=10, axons_out=12))
    assert cores(image) == [(0, 0, 4), (1, 4, 8), (2, 8, 10)]
    assert {used["axons_out"] for used in image.usage.values()} == {12, 6, 0}
    assert same_spikes(network, image)


def test_only_neurons_that_send_count() -> None:
    """Neurons 0..3 of ten reach three cores each; the others none, and share a core."""
    network = chain(10, 30, weights=np.repeat(np.arange(10) < 4, 30).reshape(10, 30))
    assert cores(ne.compile(network, small(32, neurons=10, axons_out=6))) == [(0, 0, 2), (1, 2, 10)]


def test_spreading_one_population_spreads_those_before_it() -> None:
    network = chain(8, 8, 8, 8)
    image = ne.compile(network, small(32, neurons=8, axons_out=8))
    assert [len(p.slices) for p in image.populations[1:]] == [1, 1, 1, 1]
    image = ne.compile(network, small(32, neurons=8, axons_out=7))
    assert all(used["axons_out"] <= 7 for used in image.usage.values())
    assert [len(p.slices) for p in image.populations[1:]] == [4, 3, 2, 1]
    assert same_spikes(network, image)


def test_two_populations_that_share_a_core_are_parted_uncut() -> None:
    network = chain(3, 3, 9)
    together = ne.compile(network, small(8, neurons=9, axons_out=6), split=False)
    assert (cores(together, "a"), cores(together, "b")) == ([(0, 0, 3)], [(0, 0, 3)])
    apart = ne.compile(network, small(8, neurons=9, axons_out=5), split=False)
    assert (cores(apart, "a"), cores(apart, "b"), cores(apart, "c")) == ([(0, 0, 3)], [(1, 0, 3)], [(2, 0, 9)])
    with fails(
        CapacityError,
        "small.toml: core 0 with 'a', 'b' needs 6 routing entries, generic45 has 2 axons out (choice); "
        "the first 2 of its 6 neurons fit, put the rest elsewhere, or their targets on fewer cores",
    ):
        ne.compile(network, small(8, neurons=9, axons_out=2), split=False)
    assert ne.compile(network, small(8, neurons=9, axons_out=2)).usage[0]["axons_out"] == 2


def test_a_placement_by_hand_stays_and_the_rest_moves() -> None:
    network, chip = chain(4, 4, 8), small(8, neurons=8, axons_out=4)
    image = ne.compile(network, chip, placement={"a": [(0, 4)]})
    assert (cores(image), cores(image, "b"), cores(image, "c")) == ([(0, 0, 4)], [(1, 0, 4)], [(2, 0, 8)])
    with fails(
        CapacityError,
        "small.toml: core 0 with 'a', 'b' needs 8 routing entries, generic45 has 4 axons out (choice); "
        "the first 4 of its 8 neurons fit, put the rest elsewhere, or their targets on fewer cores",
    ):
        ne.compile(network, chip, placement={"a": [(0, 4)], "b": [(0, 4)]})


def test_what_no_placement_helps_is_refused_in_terms_of_the_first() -> None:
    """Every core of a population that reaches all of itself has as many entries as the population has neurons."""
    net = ne.Network([ne.Population("a", 9, SOMA)], [ne.Projection("a", "a", np.ones((9, 9)))])
    ne.compile(net, small(9, axons_out=9, neurons=5))
    with fails(
        CapacityError,
        "small.toml: core 0 with 'a' needs 10 routing entries, generic45 has 8 axons out (choice); "
        "the first 4 of its 5 neurons fit, put the rest elsewhere, or their targets on fewer cores",
    ):
        ne.compile(net, small(9, axons_out=8, neurons=5))


# ---- what a neuron sends
def test_cuts_move_to_where_no_neuron_is_left_with_targets_on_two_cores() -> None:
    network = chain(6, 12, weights=onto(6, 2))
    image = ne.compile(network, small(8, neurons=7, targets=1))
    assert cores(image, "b") == [(1, 0, 6), (2, 6, 12)]
    assert same_spikes(network, image)
    with fails(
        CapacityError,
        "small.toml: neuron 0 of population 'a' on core 0 sends to 2 axons, a neuron of generic45 to at most 1 (choice); "
        "put its targets on fewer cores, or relay it through neurons",
    ):
        ne.compile(network, small(16, neurons=1, targets=1))


def test_targets_in_two_populations_come_to_lie_on_one_core() -> None:
    """'d' is declared between them and fills their cores."""
    a, b, d, c = (ne.Population(name, n, SOMA) for name, n in zip("abdc", (2, 2, 3, 2), strict=True))
    host = ne.Population("in", 1, ne.HostInput())
    feeds = [ne.Projection("in", "a", np.ones((1, 2)))]
    network = ne.Network([host, a, b, d, c], [*feeds, *(ne.Projection("a", name, np.ones((2, 2))) for name in "bc")])
    image = ne.compile(network, small(4, neurons=4, targets=1))
    assert {name: cores(image, name) for name in "abcd"} == {
        "a": [(0, 0, 2)],
        "b": [(1, 0, 2)],
        "c": [(1, 0, 2)],
        "d": [(2, 0, 3)],
    }
    assert same_spikes(network, image)
    assert cores(ne.compile(network, small(4, neurons=4, targets=2)), "c") == [(2, 0, 2)]


# ---- cores
def test_room_on_begun_cores_is_used_before_a_chip_is_called_full() -> None:
    """Three populations of a core and a half: cut as little as possible they take six cores, packed five."""
    network = chain(6, 6, 6)
    assert ne.compile(network, small(6, neurons=4)).n_cores == 6
    image = ne.compile(network, small(5, neurons=4))
    assert image.n_cores == 5
    assert cores(image, "b") == [(1, 0, 2), (2, 2, 6)]
    assert same_spikes(network, image)
    with fails(
        CapacityError,
        "small.toml: no core left for population 'c' from neuron 4 on, the network takes 5 cores and generic45 has 4 (choice); "
        "make it smaller, or choose a larger chip (there is room on atlas, generic45, loihi1, loihi1_fit, loihi2)",
    ):
        ne.compile(network, small(4, neurons=4))


def test_a_network_no_shipped_chip_holds() -> None:
    """A delay of 100 ticks, which only this chip has."""
    patient = small(1, neurons=2).text.replace("delay        = { value = 62,", "delay        = { value = 100,")
    network = ne.Network(
        [ne.Population("in", 1, ne.HostInput()), ne.Population("a", 3, SOMA)],
        [ne.Projection("in", "a", np.ones((1, 3)), delay=100)],
    )
    with fails(
        CapacityError,
        "small.toml: no core left for population 'a' from neuron 2 on, the network takes 2 cores and generic45 has 1 (choice); "
        "make it smaller, or choose a larger chip (no shipped one has the room)",
    ):
        ne.compile(network, parse_chip(patient, "small.toml"))


def test_a_chip_without_neurons() -> None:
    with fails(
        CapacityError,
        "small.toml: neuron 0 of population 'a' needs 1 neurons on one core, generic45 has 0 (choice); no neuron fits, choose another chip",
    ):
        ne.compile(chain(1), small(neurons=0))


# ---- any network, any limits
def random_network(rng: np.random.Generator, sizes: tuple[int, ...], density: float) -> ne.Network:
    """Layers with skips and loops, two delays, weights that make it spike."""
    names = "abc"
    populations = [ne.Population("in", 3, ne.HostInput())]
    populations += [ne.Population(name, n, SOMA) for name, n in zip(names, sizes, strict=True)]

    def projection(pre: str, post: str, n_pre: int, n_post: int) -> ne.Projection:
        weight = rng.integers(-2, 6, (n_pre, n_post)) * (rng.random((n_pre, n_post)) < density)
        return ne.Projection(pre, post, weight, delay=rng.integers(0, 2, (n_pre, n_post)))

    pairs = [(names[i], names[j], sizes[i], sizes[j]) for i in range(3) for j in range(3) if rng.random() < 0.5]
    return ne.Network(
        populations,
        [projection("in", "a", 3, sizes[0]), *(projection(*pair) for pair in pairs)],
        outputs=list(names),
    )


def use(image: ne.Image) -> dict[str, int]:
    """The most of every limit that a core or a neuron uses; targets and kinds counted one synapse at a time."""
    most = {key: max(used[key] for used in image.usage.values()) for key in next(iter(image.usage.values()))}
    targets: dict[tuple[int, int], set[tuple[str, int]]] = {}
    kinds: dict[tuple[int, int, int], set[tuple[str, int]]] = {}
    for projection in image.projections:
        core_of = image.populations[projection.post].core_of
        for part in projection.parts:
            for pre, post in zip(part.pre.tolist(), part.post.tolist(), strict=True):
                core = int(core_of[post])
                kinds.setdefault((projection.pre, pre, core), set()).add((str(projection.routes), part.delay))
                for channel in () if image.populations[projection.pre].is_host else projection.routes:
                    targets.setdefault((projection.pre, pre), set()).add((channel, core))
    most["targets"] = max(map(len, targets.values()), default=0)
    most["axon_kinds"] = max(map(len, kinds.values()), default=0)
    return most


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(*[st.integers(1, 9)] * 3),
    density=st.sampled_from([0.15, 0.5, 1.0]),
    width=st.sampled_from([1, 3, 8, 27]),
    limits=st.fixed_dictionaries(
        {},
        optional={
            "neurons": st.integers(1, 9),
            "axons_in": st.integers(2, 14),
            "synapse_words": st.integers(2, 30),
            "axons_out": st.integers(1, 14),
            "targets": st.integers(1, 3),
            "axon_kinds": st.integers(1, 2),
        },
    ),
    split=st.booleans(),
)
def test_an_image_is_within_every_limit_or_refused(
    seed: int, sizes: tuple[int, int, int], density: float, width: int, limits: dict[str, int], split: bool
) -> None:
    network = random_network(np.random.default_rng(seed), sizes, density)
    free, chip = ne.compile(network, small(27)), small(width, **limits)
    try:
        image = ne.compile(network, chip, split=split)
    except CapacityError as error:
        with fails(CapacityError, str(error)):  # and in the same words again
            ne.compile(network, chip, split=split)
        # a refusal is wrong if everything fits one core: nothing is closer together than that
        assert any(use(free)[name] > limit for name, limit in limits.items())
        return
    assert all(use(image)[name] <= limit for name, limit in limits.items())
    assert image.n_cores <= width
    assert split or all(len(p.slices) <= 1 for p in image.populations)
    assert image.digest == ne.compile(network, chip, split=split).digest
    stimulus = np.random.default_rng(seed).integers(0, 2, (1, 5, 3))
    runs = [ne.run(each, stimulus, engine="python") for each in (free, image)]
    assert runs[0].spikes == runs[1].spikes
