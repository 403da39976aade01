"""The winner unit with neighbourhoods: its definition by matrices, every engine, placement, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import firmware
from compiled import compiled
from fails import fails
from hypothesis import given
from hypothesis import strategies as st
from limited import cores, network, small

import neuroemu as ne
from neuroemu.engines.available import runnable
from neuroemu.image.neighbours import Rivals, rivals
from neuroemu.language.machine import beats, contest
from neuroemu.language.program import CALLEE, plain_source

BOTH = {"fire": "v_learn", "spike": "v_send"}
N, N_IN, THRESHOLD = 9, 6, 40
COMPILED = compiled(
    *(f"{CALLEE}\n{plain_source(function)}" for function in (beats, contest)),
    "@njit\ndef contests(flags, scores, first, rivals, won, near):\n"
    "    contest(flags, scores, first, rivals, won, near)",
)


def relation(rng: np.random.Generator, n: int, density: float) -> np.ndarray:
    """A symmetric matrix of who is near whom, each near itself."""
    upper = np.triu(rng.random((n, n)) < density, 1)
    return upper | upper.T | np.eye(n, dtype=bool)


def kept(flags: np.ndarray, scores: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The definition: flagged, and no flagged neighbour has a larger score, or the same and a lower number."""
    n = np.arange(flags.size)
    before = (scores > scores[:, None]) | ((scores == scores[:, None]) & (n < n[:, None]))  # [i, j]: j before i
    won = (flags != 0) & ~np.any(near & before & (flags != 0), axis=1)
    return won, np.any(near & won, axis=1)


def as_rivals(near: np.ndarray) -> Rivals:
    pre, post = np.nonzero(near)
    return Rivals(np.searchsorted(pre, np.arange(near.shape[0] + 1)), post)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(0, 1))
def test_a_winner_has_no_larger_flagged_neighbour(seed: int, n: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    near, flags, scores = relation(rng, n, density), rng.integers(0, 2, n), rng.integers(-2, 3, n)
    won, reached = [7] * n, [7] * n
    contest(flags.tolist(), scores.tolist(), *(part.tolist() for part in as_rivals(near)), won, reached)
    expected = kept(flags, scores, near)
    assert won == expected[0].astype(int).tolist()
    assert reached == expected[1].astype(int).tolist()


def test_the_compiled_contest_gives_the_integers_of_python() -> None:
    rng, winners = np.random.default_rng(3), 0
    for _ in range(200):
        n = int(rng.integers(1, 10))
        near, flags, scores = relation(rng, n, 0.3), rng.integers(0, 2, n).astype(np.uint8), rng.integers(-2, 3, n)
        won, reached = np.full(n, 7, np.uint8), np.full(n, 7, np.uint8)
        COMPILED["contests"](flags, scores, *as_rivals(near), won, reached)
        expected = kept(flags, scores, near)
        assert np.array_equal(won, expected[0])
        assert np.array_equal(reached, expected[1])
        winners += int(won.sum())
    assert winners > 200


def test_who_loses_to_a_loser_loses_too() -> None:
    """A chain 0 - 1 - 2 of rising scores: 2 wins, 1 loses to it, 0 loses to 1; no winner is near 0, so nothing settles it."""
    near = np.abs(np.arange(3)[:, None] - np.arange(3)) <= 1
    won, reached = kept(np.ones(3, int), np.array([1, 2, 3]), near)
    assert (won.tolist(), reached.tolist()) == ([False, False, True], [False, True, True])
    image = rivalry(np.ones((1, 3)) * [41, 42, 43], np.argwhere(near))
    run = ne.run(image, np.ones((1, 1), int), engine="python")
    assert run.state["win.wins"].tolist() == [0, 0, 1]
    assert run.state["win.v_learn"].tolist() == [41, 0, 0]
    assert run.spikes.neuron.size == 1
    assert run.counts["hook_settle"] == 2


def rivalry(weight: np.ndarray, neighbours: Any, chip: Any = None, placement: Any = None, **more: Any) -> ne.Image:
    soma = ne.Firmware(firmware("rival"), {"threshold": THRESHOLD})
    n_in, n = weight.shape
    net = ne.Network(
        [ne.Population("in", n_in, ne.HostInput()), ne.Population("win", n, soma, BOTH, neighbours=neighbours, **more)],
        [ne.Projection("in", "win", weight)],
        outputs=["win"],
    )
    return ne.compile(net, chip or ne.load_chip("generic45"), placement=placement)


def by_matrices(
    weight: np.ndarray, rows: np.ndarray, near: dict[str, np.ndarray]
) -> tuple[list[tuple[int, int]], dict[str, np.ndarray], int]:
    """tests/firmware/rival.py in NumPy: (tick, neuron) of spikes, registers at the end, calls of settle."""
    n = weight.shape[1]
    v_learn, v_send, wins = (np.zeros(n, int) for _ in range(3))
    sent, calls = [], 0
    for tick, row in enumerate(rows):
        v_learn, v_send = v_learn + row @ weight, v_send + row @ weight
        won, any_fire = kept(v_learn >= THRESHOLD, v_learn, near["fire"])
        spikes, any_spike = kept(v_send >= THRESHOLD, v_send, near["spike"])
        calls += int(np.sum(any_fire | any_spike))
        v_learn, v_send, wins = np.where(any_fire, 0, v_learn), np.where(any_spike, 0, v_send), wins + won
        sent += [(tick + 1, int(i)) for i in np.flatnonzero(spikes)]
    return sent, {"v_learn": v_learn, "v_send": v_send, "wins": wins}, calls


@pytest.mark.parametrize("engine", runnable())
def test_every_engine_is_the_definition(engine: str) -> None:
    """Random relations, one a flag, over random inputs; one shape, so that engine cpu compiles once."""
    settled = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        near = {flag: relation(rng, N, density) for flag, density in (("fire", 0.3), ("spike", 0.15))}
        weight, rows = rng.integers(-2, 12, (N_IN, N)), rng.integers(0, 2, (25, N_IN))
        image = rivalry(weight, {flag: np.argwhere(matrix) for flag, matrix in near.items()})
        run = ne.run(image, rows, engine=engine)
        sent, registers, calls = by_matrices(weight, rows, near)
        assert len(sent) > 10
        assert list(zip(run.spikes.tick.tolist(), run.spikes.neuron.tolist(), strict=True)) == [
            (tick, image.populations[1].id0 + i) for tick, i in sent
        ]
        for name, values in registers.items():
            assert np.array_equal(run.state[f"win.{name}"], values)
        assert run.counts["hook_settle"] == calls
        settled += calls < 25 * N
    assert settled == 12


def test_one_neighbourhood_of_all_is_the_whole_layer_and_maps_are_groups() -> None:
    rng = np.random.default_rng(5)
    weight, rows = rng.integers(-2, 12, (N_IN, N)), rng.integers(0, 2, (25, 3, N_IN))
    for groups in ([0] * N, [0, 0, 0, 1, 1, 1, 2, 2, 2]):
        pairs = np.argwhere(np.equal.outer(groups, groups))
        runs = [ne.run(rivalry(weight, p, groups=g), rows, engine="event") for p, g in ((pairs, None), (None, groups))]
        assert len(runs[0].spikes) > 10
        assert runs[0].spikes.tick.tolist() == runs[1].spikes.tick.tolist()
        assert runs[0].spikes.neuron.tolist() == runs[1].spikes.neuron.tolist()
        assert runs[0].counts == runs[1].counts


def test_placement_and_workers_change_no_bit(tmp_path: Path) -> None:
    """Two neighbourhoods that do not touch, on one core or on two; the image, saved and read again, is the same."""
    rng = np.random.default_rng(8)
    block = np.equal.outer(np.arange(N) < 4, np.arange(N) < 4)
    pairs = np.argwhere(relation(rng, N, 0.5) & block)
    weight, rows = rng.integers(-2, 12, (N_IN, N)), rng.integers(0, 2, (25, 5, N_IN))
    one, two = (rivalry(weight, pairs, placement=p) for p in (None, {"win": [(5, 4), (0, 5)]}))
    two.save(tmp_path / "two.image")
    again = ne.load_image(tmp_path / "two.image")
    assert again.digest == two.digest != one.digest
    expected = ne.run(one, rows, engine="python")
    assert len(expected.spikes) > 20
    for image, engine, workers in ((two, "python", None), (again, "event", None), (two, "cpu", 1), (one, "cpu", 3)):
        run = ne.run(image, rows, engine=engine, **({"workers": workers} if workers else {}))
        assert np.array_equal(run.spikes.tick, expected.spikes.tick)
        assert np.array_equal(run.spikes.neuron, expected.spikes.neuron)
        assert all(np.array_equal(run.state[name], value) for name, value in expected.state.items())
        assert run.counts["hook_settle"] == expected.counts["hook_settle"] > 0
        if image is not one:
            assert ne.run(two, rows, engine="python").differs(run) is None


def test_neighbours_share_a_core() -> None:
    soma = ne.Firmware(firmware("rival"), {"threshold": 9})
    chain = [[0, 1], [1, 0], [2, 3], [3, 2], [3, 4], [4, 3]]
    net = network(5, neuron=soma, compete=BOTH, neighbours=chain)
    assert cores(ne.compile(net, small(neurons=3))) == [(0, 0, 2), (1, 2, 5)]
    with fails(
        ne.CapacityError,
        "placement cuts population 'a' at neuron 3, inside a group that needs one core; cut between groups",
    ):
        ne.compile(net, small(), placement={"a": [(0, 3), (1, 2)]})
    with fails(
        ne.CapacityError,
        "small.toml: group of neurons 2..4 of population 'a' needs 3 neurons on one core, generic45 has 2 (choice); "
        "its first 2 neurons fit, make the group smaller",
    ):
        ne.compile(net, small(neurons=2))
    per_flag = {"fire": [[0, 4], [4, 0]], "spike": []}
    whole = network(5, neuron=soma, compete=BOTH, neighbours=per_flag)
    assert cores(ne.compile(whole, small(neurons=5))) == [(0, 0, 5)]
    assert (
        len(cores(ne.compile(network(5, neuron=soma, compete=BOTH, neighbours=np.zeros((0, 2))), small(neurons=1))))
        == 5
    )


@pytest.mark.parametrize(("shape", "radius"), [((3, 4, 5), 0), ((2, 3, 6), 2), ((1, 4, 4), 1), ((4, 3), 1)])
@pytest.mark.parametrize("whole_map", [False, True])
def test_a_neighbourhood_of_maps(shape: tuple[int, ...], radius: int, whole_map: bool) -> None:
    found = {tuple(pair) for pair in ne.neighbourhood(shape, radius, whole_map=whole_map).tolist()}
    places = list(np.ndindex(shape if len(shape) == 3 else (1, *shape)))
    expected = {
        (i, j)
        for i, (m, r, c) in enumerate(places)
        for j, (n, s, d) in enumerate(places)
        if i != j and ((abs(r - s) <= radius and abs(c - d) <= radius) or (whole_map and m == n))
    }
    assert found == expected
    assert len(ne.neighbourhood(shape, radius, whole_map=whole_map)) == len(expected)


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "both": ([[0, 1], [1, 0]], [0, 0, 1], "population 'a' has groups and neighbours; give one of them"),
    "triples": ([[0, 1, 2]], None, "population 'a': neighbours has shape (1, 3); give pairs of neurons, shape (k, 2)"),
    "words": ("near", None, "population 'a': neighbours is not numeric; give integers"),
    "nobody": (
        [[0, 3], [3, 0]], None,
        "population 'a': neighbours: there is no neuron 3, they are 0..2; correct the list",
    ),
    "one way": (
        [[0, 1], [1, 0], [2, 1]], None,
        "population 'a': neighbours: 2 has rival 1, which does not have it back; list each pair both ways",
    ),
    "one flag": (
        {"fire": [[0, 1], [1, 0]]}, None,
        "population 'a': neighbours are given for fire, but fire, spike competes; give pairs for each",
    ),
    "one way for a flag": (
        {"fire": [], "spike": [[0, 2]]}, None,
        "population 'a': neighbours of 'spike': 0 has rival 2, which does not have it back; list each pair both ways",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_neighbours_that_are_none_are_refused(name: str) -> None:
    neighbours, groups, text = REFUSED[name]
    soma = ne.Firmware(firmware("rival"), {"threshold": 9})
    net = network(3, neuron=soma, compete=BOTH, groups=groups, neighbours=neighbours)
    with fails(ne.NetworkError, text):
        ne.compile(net, ne.load_chip("generic45"))


def test_neighbours_of_nobody_and_maps_of_no_shape() -> None:
    text = "population 'a' has neighbours but nothing competes; give compete, or no neighbours"
    with fails(ne.NetworkError, text):
        ne.compile(network(3, neighbours=[[0, 1], [1, 0]]), ne.load_chip("generic45"))
    for shape, radius in (((3,), 1), ((0, 3), 1), ((3, 3), -1)):
        text = (
            f"neighbourhood of shape {shape} and radius {radius}; give (maps, rows, columns) or (rows, columns), "
            "and a radius of at least 0"
        )
        with fails(ne.NetworkError, text):
            ne.neighbourhood(shape, radius)
    assert rivals(ne.Population("a", 3, ne.HostInput())) is None
