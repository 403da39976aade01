"""What wire functions are made of: chains of layers, drawn weights, mirrored projections, a network with all of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fails import fails

import neuroemu as ne


def network(*extra: ne.Projection) -> ne.Network:
    """in -> h -> out, declared backwards."""
    populations = [
        ne.Population("out", 2, ne.IF()),
        ne.Population("h", 3, ne.IF()),
        ne.Population("in", 4, ne.HostInput()),
    ]
    second = ne.Projection("h", "out", np.arange(6).reshape(3, 2), "second")
    first = ne.Projection("in", "h", ne.Sparse([0, 3, 1], [2, 0, 1], [5, 6, 7]), "first")
    return ne.Network(populations, [second, first, *extra], outputs=["out"])


# ---- layers
def test_layers_come_in_order_from_the_input() -> None:
    found = ne.layers(network(), ["second", "first"], "out")
    assert [(p.label, p.pre, p.post) for p in found] == [("first", "in", "h"), ("second", "h", "out")]
    assert [p.label for p in ne.layers(network(), ["first"])] == ["first"]


FORM = "do not form one chain from an input; name the layers of a feed-forward network"


@pytest.mark.parametrize(
    "labels", [["second"], ["first", "second", "around"], ["first", "beside"], ["first", "first"]], ids=str
)
def test_what_is_no_chain_is_refused(labels: list[str]) -> None:
    """No input, a loop, two projections side by side, one named twice."""
    around = ne.Projection("out", "h", np.zeros((2, 3)), "around")
    whole = network(around, ne.Projection("in", "h", np.zeros((4, 3)), "beside"))
    with fails(ne.NetworkError, f"projections {', '.join(labels)} {FORM}"):
        ne.layers(whole, labels)


def test_the_layers_must_end_at_the_output() -> None:
    with fails(ne.NetworkError, "the layers end at population 'out', the output is 'h'; make it 'out'"):
        ne.layers(network(), ["first", "second"], "h")


@pytest.mark.parametrize("late", [{"delay": 2}, {"weight": ne.Sparse([0], [2], [5], [1])}], ids=["all", "a list"])
def test_delays_are_refused_where_a_rule_says_so(late: dict[str, object]) -> None:
    whole = ne.rewired(network(), replace(network().projection("first"), **late))
    assert len(ne.layers(whole, ["first", "second"])) == 2
    with fails(ne.NetworkError, "projection 'first' has delays; a layer's counts come in one tick, use none"):
        ne.layers(whole, ["first", "second"], delays=False)


# ---- weights
def test_a_matrix_is_drawn_whole_and_lists_keep_their_synapses() -> None:
    shapes = []

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        shapes.append(shape)
        return np.arange(np.prod(shape)).reshape(shape) + 10

    whole = network()
    late = replace(whole.projection("first"), weight=ne.Sparse([0, 3, 1], [2, 0, 1], [5, 6, 7], [4, 0, 2]))
    dense, lists = ne.drawn(whole, whole.projection("second"), draw), ne.drawn(whole, late, draw)
    assert np.asarray(dense.weight).tolist() == [[10, 11], [12, 13], [14, 15]]
    assert isinstance(lists.weight, ne.Sparse)
    assert [list(x) for x in (lists.weight.pre, lists.weight.post, lists.weight.weight, lists.weight.delay)] == [
        [0, 3, 1], [2, 0, 1], [10, 11, 12], [4, 0, 2],
    ]  # fmt: skip
    assert shapes == [(3, 2), (3,)]


def test_shared_weights_are_not_drawn_apart() -> None:
    shared = replace(network().projection("first"), weight=ne.Sparse([0, 3, 1], [2, 0, 1], [5, 5, 5], shared=[0, 0, 0]))
    text = (
        "projection 'first' shares kernel entries, and this rule draws a weight a synapse; "
        "give lists without shared, or keep a convolution out of the layers that learn"
    )
    with fails(ne.NetworkError, text):
        ne.drawn(network(), shared, np.zeros)


@pytest.mark.parametrize("rule", ["sfdfa", "spikegrad"])
def test_rules_that_draw_keep_lists_as_lists(rule: str) -> None:
    wired = ne.wire(network(), rule)
    lists = wired.projection("first").weight
    assert isinstance(lists, ne.Sparse)
    assert (list(lists.pre), list(lists.post)) == ([0, 3, 1], [2, 0, 1])
    assert np.abs(np.asarray(lists.weight)).min() > 7  # not the network's own


# ---- both ends
def test_a_mirror_is_the_same_synapses_from_the_other_end() -> None:
    whole = network()
    second = replace(whole.projection("second"), view=ne.View(2, 6))
    back = ne.mirrored(second, routes={"error": []}, rule="mine")
    assert (back.pre, back.post, back.label, back.mirror, back.rule) == ("out", "h", "second.back", "second", "mine")
    assert np.asarray(back.weight).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert (back.view, back.routes) == (ne.View(2, 6), {"error": []})
    lists = ne.mirrored(whole.projection("first"), "other").weight
    assert isinstance(lists, ne.Sparse)
    assert [list(x) for x in (lists.pre, lists.post, lists.weight)] == [[2, 0, 1], [0, 3, 1], [5, 6, 7]]


def test_rewired_replaces_by_name_and_adds_at_the_end() -> None:
    whole = network()
    new = ne.rewired(
        whole, ne.Population("more", 1, ne.IF()), replace(whole.population("h"), size=3, neuron=ne.LI(1e-3)),
        ne.Projection("h", "more", np.ones((3, 1))), replace(whole.projection("second"), delay=3),
    )  # fmt: skip
    assert [p.name for p in new.populations] == ["out", "h", "in", "more"]
    assert [p.label for p in new.projections] == ["second", "first", "h->more"]
    assert (type(new.population("h").neuron), new.projection("second").delay, new.outputs) == (ne.LI, 3, ("out",))
    assert [p.label for p in whole.projections] == ["second", "first"]
