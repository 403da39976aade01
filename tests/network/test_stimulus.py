"""Input becomes events, presentation by presentation; what is no input of the network is refused by its whole text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fails import fails

import neuroemu as ne
from neuroemu.base.errors import StimulusError
from neuroemu.network.stimulus import Events

ONE, TWO = {"in": 4}, {"left": 2, "right": 3}


def dense(events: ne.Stimulus, name: str, size: int) -> np.ndarray:
    """The events as (rows, presentations, neurons) again."""
    part = events.events[name]
    found = np.zeros((events.rows, events.n, size), np.int64)
    for b in range(events.n):
        for t in range(events.rows):
            here = slice(part.indptr[b, t], part.indptr[b, t + 1])
            assert np.all(np.diff(part.neuron[here]) > 0)
            found[t, b, part.neuron[here]] = part.payload[here]
    return found


def test_events_are_the_non_zero_entries() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.integers(-2, 3, (6, 3, 4)) * rng.integers(0, 2, (6, 3, 4))
    events = ne.stimulus(inputs, ONE)
    assert (events.rows, events.n, events.first) == (6, 3, 0)
    assert np.array_equal(dense(events, "in", 4), inputs)


@pytest.mark.parametrize(
    "inputs",
    [
        [[0, 1, 0, 1]],
        np.array([[[0, 1], [0, 1]]]),
        np.array([[[0, 1, 0, 1]]], np.float32),
        np.array([[False, True, False, True]]),
        {"in": np.array([[[[0, 1], [0, 1]]]])},
    ],
    ids=["lists", "shape of the population", "floats", "truth values", "four dimensions"],
)
def test_forms_of_one_input(inputs: Any) -> None:
    assert dense(ne.stimulus(inputs, ONE), "in", 4).tolist() == [[[0, 1, 0, 1]]]


def test_inputs_by_name_may_be_left_silent() -> None:
    rows = np.array([[1, 0, 2]])
    events = ne.stimulus({"right": rows}, TWO)
    assert list(events.events) == ["right"]
    assert events.digest != ne.stimulus({"left": rows[:, :2]}, TWO).digest
    assert events.digest == ne.stimulus({"right": rows.astype(float)}, TWO).digest


def test_largest_payloads_pass() -> None:
    inputs = [[2**31 - 1, -(2**31), 0, 1]]
    assert dense(ne.stimulus(inputs, ONE), "in", 4).tolist() == [inputs]


def test_slice_keeps_numbers_and_events() -> None:
    inputs = np.random.default_rng(1).integers(0, 3, (5, 6, 4))
    whole = ne.stimulus(inputs, ONE, values={"h": np.arange(12).reshape(6, 2)}, first=10)
    part = whole.slice(2, 5)
    assert (part.rows, part.n, part.first) == (5, 3, 12)
    assert np.array_equal(dense(part, "in", 4), inputs[:, 2:5])
    assert part.values["h"].tolist() == [[4, 5], [6, 7], [8, 9]]


ROW = [[0, 1, 0, 1]]
BAD: list[tuple[Any, dict[str, int], str]] = [
    (ROW, TWO, "the network has 2 host inputs (left, right); give a dictionary of arrays, or a file of several"),
    (ROW, {}, "the network has no host inputs, so it takes no input; run it with ticks=N instead"),
    ({"inn": ROW}, ONE, "input names 'inn', the network's host inputs are: in; name one of them"),
    ({"in": ROW}, {}, "the network has no host inputs, so it takes no input; run it with ticks=N instead"),
    ({}, TWO, "no input is given; give it for left, right, or ticks=N to run N ticks without"),
    ({}, {}, "the network has no host inputs, so it takes no input; run it with ticks=N instead"),
    (
        {"left": np.ones((5, 3, 2)), "right": np.ones((5, 2, 3))},
        TWO,
        "input 'right' has 5 rows and 2 presentations, another has 5 and 3; give all the same",
    ),
    (
        {"left": np.ones((5, 2)), "right": np.ones((4, 3))},
        TWO,
        "input 'right' has 4 rows and 1 presentations, another has 5 and 1; give all the same",
    ),
    ([[0, 1], [1]], ONE, "input 'in': lists of unequal length; give an array"),
    (np.array([[1j, 0, 0, 0]]), ONE, "input 'in' has dtype complex128; give integers"),
    ([["1", "0", "0", "0"]], ONE, "input 'in' has dtype <U1; give integers"),
    ([None], ONE, "input 'in' has dtype object; give integers"),
    (
        np.ones((5, 3)),
        ONE,
        "input 'in' has shape (5, 3), its population has 4 neurons; "
        "give (rows, neurons) or (rows, presentations, neurons)",
    ),
    (
        np.ones(4),
        ONE,
        "input 'in' has shape (4,), its population has 4 neurons; "
        "give (rows, neurons) or (rows, presentations, neurons)",
    ),
    (
        1,
        ONE,
        "input 'in' has shape (), its population has 4 neurons; give (rows, neurons) or (rows, presentations, neurons)",
    ),
    (
        np.ones((5, 4, 2)),
        ONE,
        "input 'in' has shape (5, 4, 2), its population has 4 neurons; "
        "give (rows, neurons) or (rows, presentations, neurons)",
    ),
    (np.ones((0, 4)), ONE, "input 'in' has shape (0, 4); give at least one row and one presentation"),
    (np.ones((5, 0, 4)), ONE, "input 'in' has shape (5, 0, 4); give at least one row and one presentation"),
    (
        [[0, 1, 0.5, 1]],
        ONE,
        "input 'in' holds 0.5 at row 0, presentation 0, neuron 2; "
        "packets carry integers: encode it as spikes, or scale and round it",
    ),
    (
        [[[0, 1, 0, 1], [1, 1, 1, np.nan]]],
        ONE,
        "input 'in' holds nan at row 0, presentation 1, neuron 3; "
        "packets carry integers: encode it as spikes, or scale and round it",
    ),
    ([[0, 1, 2**31, 1]], ONE, "input 'in' holds 2147483648; a payload has 32 bits"),
    ([[0, 1, -(2**31) - 1, 1]], ONE, "input 'in' holds -2147483649; a payload has 32 bits"),
    (np.array([[0, 1, 2**64 - 1, 1]], np.uint64), ONE, "input 'in' holds 18446744073709551615; a payload has 32 bits"),
    ([[0, 1, np.inf, 1]], ONE, "input 'in' holds inf; a payload has 32 bits"),
]


@pytest.mark.parametrize(("inputs", "sizes", "text"), BAD, ids=[text[:60] for _, _, text in BAD])
def test_input_is_refused(inputs: Any, sizes: dict[str, int], text: str) -> None:
    with fails(StimulusError, text):
        ne.stimulus(inputs, sizes)


VALUES: list[tuple[Any, str]] = [
    (
        [1, 2],
        "values for population 'h' have shape (2,) and dtype int64; give integers of shape (2, neurons)",
    ),
    (
        np.ones((3, 5), int),
        "values for population 'h' have shape (3, 5) and dtype int64; give integers of shape (2, neurons)",
    ),
    (
        np.ones((2, 5)),
        "values for population 'h' have shape (2, 5) and dtype float64; give integers of shape (2, neurons)",
    ),
    ([[1, 2], [3]], "values for population 'h': lists of unequal length; give an array"),
]


@pytest.mark.parametrize(("values", "text"), VALUES, ids=[text[:60] for _, text in VALUES])
def test_values_are_refused(values: Any, text: str) -> None:
    with fails(StimulusError, text):
        ne.stimulus(np.ones((3, 2, 4)), ONE, values={"h": values})


# ---- events made by hand
def events(indptr: Any, neuron: Any, payload: Any = None, dtype: Any = np.int32) -> Events:
    neuron = np.array(neuron, dtype)
    return Events(np.array(indptr), neuron, np.ones(neuron.shape, np.int32) if payload is None else payload)


def test_events_made_by_hand_are_taken() -> None:
    part = events([[0, 2, 2], [2, 2, 4]], [1, 3, 0, 0])  # a neuron twice in a row is two packets
    assert [place.tolist() for place in part.places()] == [[0, 0, 1, 1], [0, 0, 1, 1]]
    assert part.payload.tolist() == [1, 1, 1, 1]
    assert events(np.zeros((0, 3), int), []).neuron.size == 0


EVENTS: list[tuple[Any, str]] = [
    (
        lambda: events([0, 1], [2]),
        "the events' indptr has shape (2,) and dtype int64; give integers of shape (presentations, rows + 1)",
    ),
    (
        lambda: events([[0.0, 1.0]], [2]),
        "the events' indptr has shape (1, 2) and dtype float64; give integers of shape (presentations, rows + 1)",
    ),
    (
        lambda: events([[0, 1]], [2], np.ones(2, np.int32)),
        "the events have neurons of shape (1,) and dtype int32, payloads of shape (2,) and dtype int32; give two int32 arrays of one "
        "length",
    ),
    (
        lambda: events([[0, 1]], [2], dtype=np.int64),
        "the events have neurons of shape (1,) and dtype int64, payloads of shape (1,) and dtype int32; give two int32 arrays of one "
        "length",
    ),
    *(
        (
            lambda indptr=indptr: events(indptr, [2, 3]),
            "the events' indptr does not count the 2 packets from 0 to 2, every presentation from where the one before it ended; count "
            "the packets of each row",
        )
        for indptr in ([[1, 2]], [[0, 1]], [[0, 1], [0, 2]], np.zeros((0, 2), int))
    ),
    (
        lambda: events([[0, 2, 1, 2]], [2, 3]),
        "the events' indptr descends; sort the packets by presentation and row, then count those of each row",
    ),
    (lambda: events([[0, 2]], [-1, 3]), "an event names neuron -1; neurons are numbered from 0"),
    (
        lambda: events([[0, 1, 1], [1, 1, 3]], [3, 2, 0]),
        "an event names neuron 0 after neuron 2 in row 1 of presentation 1; sort the packets of a row by neuron",
    ),
    (
        lambda: ne.Stimulus(2, 1, {"in": events([[0, 1]], [2])}),
        "input 'in' has events of 1 presentations of 1 rows, the stimulus 1 of 2; give the same",
    ),
    (lambda: ne.Stimulus(0, 1, {}), "a stimulus has 1 presentations of 0 rows; give at least one row"),
    (lambda: ne.Stimulus(1, -1, {}), "a stimulus has -1 presentations of 1 rows; give at least one row"),
    (lambda: ne.Stimulus(1, 1, {}, first=-1), "first is -1; presentations are numbered from 0 to 2**62"),
]


@pytest.mark.parametrize(("make", "text"), EVENTS)
def test_wrong_events_are_refused_when_they_are_made(make: Any, text: str) -> None:
    """An engine reads them without looking, each in its own way: a negative neuron was a KeyError, a ValueError or another neuron."""
    with fails(StimulusError, text):
        make()
