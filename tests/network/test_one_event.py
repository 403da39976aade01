"""Ticks turned into events: against a loop over the dense input."""

from __future__ import annotations

import numpy as np
import pytest
from fails import fails

import neuroemu as ne

ROWS, N = 7, 3
SIZES = {"b": 4, "a": 5}


def drawn() -> dict[str, np.ndarray]:
    """Payloads 0..2, the second presentation quite silent."""
    rng = np.random.default_rng(4)
    dense = {name: rng.integers(0, 3, (ROWS, N, n)) * (rng.random((ROWS, N, n)) < 0.4) for name, n in SIZES.items()}
    for array in dense.values():
        array[:, 1] = 0
    return dense


def listed(stimulus: ne.Stimulus, name: str) -> list[tuple[int, int, int, int]]:
    """(presentation, row, neuron, payload) of an input's packets."""
    events = stimulus.events[name]
    columns = (*events.places(), events.neuron, events.payload)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("reference", ["tref", None])
def test_every_packet_gets_a_tick_and_every_tick_a_reference(reference: str | None) -> None:
    dense = drawn()
    expected: dict[str, list[tuple[int, int, int, int]]] = {name: [] for name in ("tref", *SIZES)}
    ticks: list[list[int]] = []
    for b in range(N):
        came: list[int] = []
        for t in range(ROWS):
            if reference:
                expected["tref"].append((b, len(came), 0, 1))
                came.append(t)
            for name in SIZES:
                for neuron in np.flatnonzero(dense[name][t, b]):
                    expected[name].append((b, len(came), int(neuron), int(dense[name][t, b, neuron])))
                    came.append(t)
        ticks.append(came)
    assert len({len(came) for came in ticks}) == N
    stimulus, tick = ne.one_event_a_tick(ne.stimulus(dense, SIZES), reference)
    assert stimulus.rows == max(len(came) for came in ticks)
    assert tick.tolist() == [came + [-1] * (stimulus.rows - len(came)) for came in ticks]
    assert {name: listed(stimulus, name) for name in stimulus.events} == {
        name: packets for name, packets in expected.items() if name != "tref" or reference
    }


def test_what_modulators_say_and_the_first_presentation_stay() -> None:
    values = {"out": np.arange(6).reshape(3, 2)}
    stimulus, _ = ne.one_event_a_tick(ne.stimulus(drawn(), SIZES, values=values, first=8))
    assert (stimulus.first, stimulus.n) == (8, 3)
    assert np.array_equal(stimulus.values["out"], values["out"])


def test_a_stimulus_without_packets_is_a_quiet_tick() -> None:
    stimulus, tick = ne.one_event_a_tick(ne.stimulus(np.zeros((5, 2)), {"in": 2}), None)
    assert (stimulus.rows, tick.tolist(), listed(stimulus, "in")) == (1, [[-1]], [])
    bare, tick = ne.one_event_a_tick(ne.Stimulus(5, 2, {}), None)
    assert (bare.rows, bare.n, tick.tolist()) == (1, 2, [[-1], [-1]])


def test_the_reference_is_an_input_of_its_own() -> None:
    with fails(
        ne.StimulusError,
        "reference 'a' is an input of the stimulus already; name another host input, or reference=None if its "
        "packets are the time references",
    ):
        ne.one_event_a_tick(ne.stimulus(drawn(), SIZES), "a")
