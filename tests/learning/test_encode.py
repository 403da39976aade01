"""Encoders: exact by hand, equal whatever the batch, the hash of the firmware, and honest statistics."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fails import fails
from hypothesis import given
from hypothesis import strategies as st

import neuroemu as ne
from neuroemu import encode
from neuroemu.base.errors import StimulusError
from neuroemu.language import isa
from neuroemu.language.draws import ENCODE_SITE, mix, site_key, tick_key, uniform, unit_key
from neuroemu.language.machine import SITES
from neuroemu.learning import encoders
from neuroemu.network.stimulus import Stimulus

DOCS = Path(__file__).parents[2] / "docs"
U64 = st.integers(0, (1 << 64) - 1)


def packets(stimulus: Stimulus, name: str = "input") -> list[tuple[int, int, int, int]]:
    """(presentation, row, neuron, payload) of every packet, in order, with the presentation's number."""
    events = stimulus.events[name]
    return [
        (stimulus.first + b, row, int(events.neuron[i]), int(events.payload[i]))
        for b in range(stimulus.n)
        for row in range(stimulus.rows)
        for i in range(events.indptr[b, row], events.indptr[b, row + 1])
    ]


# ---- time to first spike
def test_ttfs_by_hand() -> None:
    found = encode.ttfs([[16, 0, 8, 1], [4, 4, 0, 15]], 6, 40, top=16, window=4)
    assert packets(found) == [(40, 0, 0, 1), (40, 2, 2, 1), (40, 3, 3, 1), (41, 0, 3, 1), (41, 3, 0, 1), (41, 3, 1, 1)]
    assert (found.rows, found.n, found.first) == (6, 2, 40)


@given(st.integers(1, 300), st.integers(1, 300))
def test_ttfs_of_every_value(top: int, window: int) -> None:
    found = packets(encode.ttfs(np.arange(top + 1).reshape(1, -1), window, top=top))
    rows = {neuron: row for _, row, neuron, _ in found}
    assert len(found) == top  # each once, zero never
    assert all(rows[x] == window * (top - x) // top for x in range(1, top + 1))
    assert rows[top] == 0
    assert max(rows.values()) < window
    assert all(rows[x] >= rows[x + 1] for x in range(1, top))


# ---- graded
def test_graded_by_hand() -> None:
    values = np.array([[[7, 0], [-5, 1]]])
    assert packets(encode.graded(values, 3)) == [(0, 0, 0, 7), (0, 0, 2, -5), (0, 0, 3, 1)]
    every = [(9, row, neuron, x) for row in range(2) for neuron, x in ((0, 7), (2, -5), (3, 1))]
    assert packets(encode.graded(values, 2, 9, once=False)) == every
    assert packets(encode.graded(values, 3, shift=1)) == [(0, 0, 0, 3), (0, 0, 2, -2)]


def test_graded_fashion_pixels_in_four_bits() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(1, -1)
    payload = {neuron: x for _, _, neuron, x in packets(encode.graded(values, 1, shift=4))}
    assert payload == {x: x >> 4 for x in range(16, 256)}


# ---- rate
@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(0, 1 << 62), st.integers(0, 1 << 20), st.lists(U64))
def test_hash_of_arrays_is_that_of_integers(seed: int, first: int, tick: int, idents: list[int]) -> None:
    base = site_key(tick_key(seed, np.array([first, first + 1]), tick), ENCODE_SITE)
    expected = [isa.site_key(isa.tick_key(seed, first + b, tick), ENCODE_SITE) for b in (0, 1)]
    assert base.tolist() == expected
    keys = unit_key(base[:1], np.array(idents, np.uint64))
    assert keys.tolist() == [isa.unit_key(expected[0], ident) for ident in idents]
    for bits in (0, 1, 32, 62):
        assert uniform(keys, 3, bits).tolist() == [isa.uniform(key, 3, bits) for key in keys.tolist()]
    assert mix(np.array(idents, np.uint64)).tolist() == [isa.mix(ident) for ident in idents]


def test_encoders_draw_at_no_hooks_site() -> None:
    assert max(SITES.values()) + 8 < ENCODE_SITE


@pytest.mark.parametrize("cached", [1, 21, 1 << 16])
def test_rate_by_the_definition(cached: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "CACHED_DRAWS", cached)
    values, top, peak, seed, first = np.array([[0, 3, 16], [5, 16, 9]]), 16, 0.7, -4, 1000
    expected = []
    for b in range(2):
        for row in range(30):
            base = isa.site_key(isa.tick_key(seed, first + b, row), ENCODE_SITE)
            for neuron in range(3):
                limit = int(values[b, neuron]) * round(peak * 2**32) // top
                if isa.uniform(isa.unit_key(base, neuron), 0, 32) < limit:
                    expected.append((first + b, row, neuron, 1))
    assert packets(encode.rate(values, 30, seed, first, top=top, peak=peak)) == expected
    assert len(expected) > 20


def test_rate_never_changes() -> None:
    train, _ = ne.load_dataset("digits")
    found = encode.rate(train.inputs[:20], 10, 1, 500, top=16)
    assert found.digest == "db76f94eb7666664fec937d417ec78a5b5a1600eec0fc5dc79b76b3f266ea7ec"


def test_rate_is_the_probability_it_says() -> None:
    n, ticks, top = 400, 50, 8
    values = np.tile(np.arange(top + 1), (n, 1))
    for peak in (1.0, 0.25):
        counts = np.bincount([neuron for _, _, neuron, _ in packets(encode.rate(values, ticks, 7, top=top, peak=peak))])
        p = peak * np.arange(top + 1) / top
        sigma = np.sqrt(n * ticks * p * (1 - p))
        assert np.all(np.abs(counts - n * ticks * p) <= 4 * sigma)
    assert counts[0] == 0


def test_rate_is_independent_between_rows_pixels_presentations_and_seeds() -> None:
    """Two halves of the draws agree as often as coins do."""
    values = np.full((40, 40), 1)

    def bits(seed: int, first: int = 0) -> np.ndarray:
        events = encode.rate(values, 40, seed, first, top=2).events["input"]
        dense = np.zeros((40 * 40, 40), np.int64)
        dense[np.repeat(np.arange(1600), np.diff(events.indptr, axis=1).ravel()), events.neuron] = 1
        return dense.reshape(40, 40, 40)

    a, b, later = bits(0), bits(1), bits(0, 40)
    pairs = [(a, b), (a, later), (a[1:], a[:-1]), (a[:, 1:], a[:, :-1]), (a[:, :, 1:], a[:, :, :-1])]
    for x, y in pairs:
        assert abs((x == y).mean() - 0.5) < 4 * 0.5 / np.sqrt(x.size)
    assert np.array_equal(bits(0, 3)[:37], a[3:])


# ---- all of them
ENCODERS: dict[str, Any] = {
    "ttfs": partial(encode.ttfs, ticks=12, top=16, window=9),
    "rate": partial(encode.rate, ticks=12, seed=5, top=16, peak=0.5),
    "graded": partial(encode.graded, ticks=12, once=False),
}


def test_every_encoder_is_here_and_in_the_guides() -> None:
    assert set(ENCODERS) == set(encoders.ENCODERS), "add a case to ENCODERS above"
    data, training = ((DOCS / page).read_text() for page in ("data.md", "training.md"))
    for name in ENCODERS:
        assert f"| `ne.encode.{name}(" in data, f"docs/data.md has no row for {name}"
        assert f"`{name}`" in training, f"docs/training.md does not name {name}"


@pytest.mark.parametrize("kind", ENCODERS)
def test_zeros_are_silent(kind: str) -> None:
    found = ENCODERS[kind](np.zeros((3, 2, 2), np.uint8))
    assert packets(found) == []
    assert found.events["input"].indptr.shape == (3, 13)


@pytest.mark.parametrize("kind", ENCODERS)
def test_form_is_that_of_a_dense_stimulus(kind: str) -> None:
    values = np.random.default_rng(0).integers(0, 17, (6, 4, 5)) * (np.arange(6) % 3 > 0)[:, None, None]
    found = ENCODERS[kind](values, name="pixels")
    dense = np.zeros((12, 6, 20), np.int64)
    for b, row, neuron, payload in packets(found, "pixels"):
        dense[row, b, neuron] = payload
    assert found.digest == ne.stimulus({"pixels": dense}, {"pixels": 20}).digest
    events = found.events["pixels"]
    assert (events.indptr.dtype, events.neuron.dtype, events.payload.dtype) == (np.int64, np.int32, np.int32)


@pytest.mark.parametrize("kind", ENCODERS)
def test_batches_of_any_size_are_the_same_packets(kind: str) -> None:
    train, _ = ne.load_dataset("digits")
    order = encode.permutation(300, 1, 2)
    whole = [p for part in encode.batches(train.inputs, ENCODERS[kind], order=order, epoch=2) for p in packets(part)]
    assert {p[0] for p in whole} <= set(range(600, 900))
    for size in (1, 7, 300, 1000):
        parts = list(encode.batches(train.inputs, ENCODERS[kind], order=order, epoch=2, size=size))
        assert [part.n for part in parts] == [size] * (300 // size) + [300 % size] * (300 % size > 0)
        assert [p for part in parts for p in packets(part)] == whole
    parts = list(encode.batches(train.inputs, ENCODERS[kind], order=order, epoch=2, start=123))
    assert [p for part in parts for p in packets(part)] == [p for p in whole if p[0] >= 723]
    assert list(encode.batches(train.inputs, ENCODERS[kind], order=order, start=300)) == []


def test_batches_are_256_and_not_made_before_they_are_asked_for() -> None:
    asked = []

    def encoder(values: np.ndarray, *, first: int) -> Stimulus:
        asked.append((len(values), first))
        return encode.graded(values, 1, first)

    parts = encode.batches(np.ones((600, 2), np.uint8), encoder, epoch=1)
    assert asked == []
    next(parts)
    assert asked == [(256, 600)]
    next(parts)
    next(parts)
    assert asked == [(256, 600), (256, 856), (88, 1112)]


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_network_runs_on_it(kind: str) -> None:
    train, _ = ne.load_dataset("digits")
    weights = np.random.default_rng(1).integers(0, 40, (64, 10))
    network = ne.Network(
        [ne.Population("input", 64, ne.HostInput()), ne.Population("out", 10, ne.Firmware("if", {"threshold": 300}))],
        [ne.Projection("input", "out", weights, routes={"input": [("drive", "weight*payload")]})],
        outputs=["out"],
    )
    image = ne.compile(network, ne.load_chip("generic45"))
    found = ENCODERS[kind](train.inputs[:5], first=7)
    runs = [ne.run(image, found, engine=engine) for engine in ("cpu", "python")]
    assert runs[0].differs(runs[1]) is None
    assert len(runs[0].spikes) > 0


# ---- refused
ONE = np.ones((2, 3), np.uint8)
REFUSED = [
    (
        lambda: encode.ttfs(ONE / 2, 4, top=1),
        "values have shape (2, 3) and dtype float64; give integers of shape (presentations, features...)",
    ),
    (
        lambda: encode.ttfs(ONE[0], 4, top=1),
        "values have shape (3,) and dtype uint8; give integers of shape (presentations, features...)",
    ),
    (
        lambda: encode.graded(ONE[:0], 4),
        "values have shape (0, 3) and dtype uint8; give integers of shape (presentations, features...)",
    ),
    (lambda: encode.graded([[1], [1, 2]], 4), "values are lists of unequal length; give an array"),
    (lambda: encode.graded(ONE, 0), "ticks is 0; use 1 to 1048576"),
    (lambda: encode.graded(ONE, (1 << 20) + 1), "ticks is 1048577; use 1 to 1048576"),
    (lambda: encode.graded(ONE, 4, -1), "first is -1; presentations are numbered from 0 to 2**62"),
    (lambda: encode.graded([[1 << 31]], 4), "values hold 2147483648; a payload has 32 bits"),
    (lambda: encode.graded([[-(1 << 31)]], 4), "values hold -2147483648; a payload has 32 bits"),
    (
        lambda: encode.graded(np.array([[(1 << 64) - 1]], np.uint64), 4),
        f"values hold {2**64 - 1}; a payload has 32 bits",
    ),
    (lambda: encode.graded(ONE, 4, shift=-1), "shift is -1; use 0 to 31"),
    (lambda: encode.ttfs(ONE, 4, top=0), "top is 0; it is the value of a full pixel, from 1 to 2**31 - 1"),
    (
        lambda: encode.ttfs(ONE * 17, 4, top=16),
        "values hold 17, a full pixel is 16; give values in 0..16, or another top",
    ),
    (
        lambda: encode.rate([[-1]], 4, 0, top=16),
        "values hold -1, a full pixel is 16; give values in 0..16, or another top",
    ),
    (lambda: encode.ttfs(ONE, 4, top=1, window=5), "window is 5; use 1 to 4, the ticks of a presentation"),
    (lambda: encode.ttfs(ONE, 4, top=1, window=0), "window is 0; use 1 to 4, the ticks of a presentation"),
    (
        lambda: encode.rate(ONE, 4, 0, top=1, peak=0),
        "peak is 0; it is the probability of a full pixel in a tick, above 0 and at most 1",
    ),
    (
        lambda: encode.rate(ONE, 4, 0, top=1, peak=float("nan")),
        "peak is nan; it is the probability of a full pixel in a tick, above 0 and at most 1",
    ),
    (lambda: encode.rate(ONE, 4, 1 << 63, top=1), f"seed is {1 << 63}; use one from -2**63 to 2**63 - 1"),
    (
        lambda: encode.batches(ONE, encode.graded, order=[[0]]),
        "the order has shape (1, 1) and dtype int64; give numbers of samples, shape (N,)",
    ),
    (lambda: encode.batches(ONE, encode.graded, order=[0, 2]), "the order names sample 2; there are 0..1"),
    (lambda: encode.batches(ONE, encode.graded, order=[0, -2]), "the order names sample -2; there are 0..1"),
    (lambda: encode.batches(ONE, encode.graded, size=0), "size is 0; encode at least 1 presentation at a time"),
    (lambda: encode.batches(ONE, encode.graded, start=3), "start is 3; an epoch of 2 presentations starts at 0 to 2"),
]


@pytest.mark.parametrize(("call", "text"), REFUSED, ids=[text[:50] for _, text in REFUSED])
def test_encoding_is_refused(call: Any, text: str) -> None:
    with fails(StimulusError, text):
        call()


def test_ends_of_what_is_taken() -> None:
    most = (1 << 31) - 1
    assert packets(encode.graded([[most, -most]], 1)) == [(0, 0, 0, most), (0, 0, 1, -most)]
    assert len(packets(encode.rate([[most]], 3, -(1 << 63), 1 << 62, top=most))) == 3  # a full pixel never fails
    assert packets(encode.ttfs([[1, most]], 1 << 20, top=most)) == [(0, 0, 1, 1), (0, (1 << 20) - 1, 0, 1)]
