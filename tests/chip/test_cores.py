"""Every shipped datasheet: sourced, true to its published figures, and each of its limits holds to the unit."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fails import fails

import neuroemu as ne
from neuroemu.base.shelf import chips
from neuroemu.chip.chip import Chip, parse_chip
from neuroemu.chip.datasheet import BASES, EVENTS

CORES = Path(__file__).parents[2] / "cores"
CHIPS = chips()
LIF = ne.Firmware("lif", {"decay_v": 0, "threshold": 64})
NEURON = {
    "truenorth": ne.Firmware("truenorth", {f"weight{k}": 1 for k in range(4)} | {"threshold": 1}),
    "odin": ne.Firmware("odin", {"threshold": 7}),
}
PORT = {"truenorth": "type0", "odin": "exc"}


def edited(name: str, *changes: tuple[str, str]) -> Chip:
    """A shipped chip with words of its datasheet changed, for limits too far out to reach in a test."""
    text = (CORES / f"{name}.toml").read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return parse_chip(text, f"cores/{name}.toml")


def population(chip: Chip, name: str, n: int) -> ne.Population:
    return ne.Population(name, n, NEURON.get(chip.name, LIF))


def projection(chip: Chip, pre: str, post: str, weight: Any, **options: Any) -> ne.Projection:
    """A projection from a host input ``in...`` or a population to the port of the chip's neuron."""
    channel = "input" if pre.startswith("in") else "spike"
    return ne.Projection(pre, post, weight, routes={channel: [(PORT.get(chip.name, "drive"), "weight")]}, **options)


def fed(chip: Chip, n_in: int, n: int, weight: Any, **options: Any) -> ne.Network:
    """A host input into one population."""
    return ne.Network(
        [ne.Population("in", n_in, ne.HostInput()), population(chip, "p", n)],
        [projection(chip, "in", "p", weight, **options)],
    )


def fan(n_in: int, width: int) -> ne.Sparse:
    """Every source to neurons 0..width-1."""
    pre, post = np.indices((n_in, width)).reshape(2, -1)
    return ne.Sparse(pre, post, np.ones(pre.size))


def plus(lists: ne.Sparse, pre: int, post: int) -> ne.Sparse:
    """One synapse more."""
    return ne.Sparse(*(np.append(old, new) for old, new in ((lists.pre, pre), (lists.post, post), (lists.weight, 1))))


# ---- sources
def figures(node: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every table of a datasheet that states something, with its path."""
    if not isinstance(node, dict):
        return []
    stating = {
        "value",
        "points",
        "bits",
        "has",
        "min",
        "any",
        "names",
        "width",
        "channel",
        "included_in",
        "not_applicable",
    }
    found = [(path, node)] if stating & node.keys() and path not in ("core",) else []
    return found + [pair for key, child in node.items() for pair in figures(child, f"{path}.{key}".lstrip("."))]


@pytest.mark.parametrize("name", CHIPS)
def test_every_figure_has_a_basis_and_a_source_and_every_source_is_used(name: str) -> None:
    raw = tomllib.loads((CORES / f"{name}.toml").read_text())
    assert raw["core"]["name"] == name
    stated = figures({key: table for key, table in raw.items() if key != "sources"})
    assert len(stated) > 12
    used = set()
    for path, figure in stated:
        if "included_in" in figure or "not_applicable" in figure:
            stated = {"basis", "source", "unit"} & figure.keys()  # that there is no graded payload has a source
            assert figure.keys() <= {"included_in", "not_applicable", "note", *stated}, path
            assert not stated or path == "core.payload", path
            if not stated:
                continue
        assert figure["basis"] in BASES, path
        assert raw["sources"][figure["source"]], path
        used.add(figure["source"])
    assert used == set(raw["sources"])


@pytest.mark.parametrize("name", CHIPS)
def test_what_is_included_is_included_in_something_with_a_price(name: str) -> None:
    chip = ne.load_chip(name)
    for event in EVENTS:
        figure = getattr(chip.sheet.energy, event)
        if figure and figure.included_in:
            assert chip.energy_fj(figure.included_in) is not None, event


@pytest.mark.parametrize("name", CHIPS)
def test_a_network_of_two_populations_runs_and_is_priced(name: str) -> None:
    """It spikes, two engines agree, and what the datasheet does not price is listed, never zero."""
    chip = ne.load_chip(name)
    network = ne.Network(
        [ne.Population("in", 6, ne.HostInput()), population(chip, "a", 5), population(chip, "b", 4)],
        [
            projection(chip, "in", "a", np.full((6, 5), chip.weight_range[1])),
            projection(chip, "a", "b", np.full((5, 4), chip.weight_range[1])),
        ],
    )
    image = ne.compile(network, chip)
    stimulus = np.ones((12, 2, 6), int)
    run = ne.run(image, stimulus, engine="python")
    assert all(np.count_nonzero(run.raster(layer)) > 10 for layer in "ab")
    assert run.differs(ne.run(image, stimulus, engine="event")) is None
    costs = ne.report(run)
    silent = {event for event in EVENTS if getattr(chip.sheet.energy, event) is None}
    counted = {row.event for row in costs.rows}
    assert set(costs.unknown) == silent & counted
    assert costs.total_fj == sum(row.count * (chip.energy_fj(row.event) or 0) for row in costs.rows)
    assert (costs.total_fj > 0) == (name != "loihi2")
    assert {f"energy of {event}" for event in silent} <= set(ne.chip_facts(chip)["unknown"])


# ---- published figures
def row(run: ne.Run, event: str) -> tuple[int, int]:
    """How often, and femtojoules in all."""
    found = next(row for row in ne.report(run).rows if row.event == event)
    assert found.energy_fj is not None
    return found.count, found.energy_fj


def test_truenorth_predicts_the_point_it_was_not_fitted_to() -> None:
    """Akopyan 2015, figure 17: 2^20 neurons with 128 synapses each at 11.58, 20.07 and 95.93 Hz draw 68, 71 and 94 mW."""
    chip = ne.load_chip("truenorth")
    static, synop = chip.static_nw(), chip.energy_fj("synop")
    neurons = chip.n_cores * (chip.limit("neurons") or 0)
    assert neurons * 128 == 2**27
    assert static is not None
    assert synop is not None

    def milliwatts(hertz: float) -> float:
        return static * 1e-6 + synop * 1e-12 * neurons * 128 * hertz

    assert milliwatts(11.58) == pytest.approx(68, rel=1e-3)
    assert milliwatts(95.93) == pytest.approx(94, rel=1e-3)
    assert milliwatts(20.07) == pytest.approx(71, rel=0.01)
    assert chip.sheet.energy.synop is not None
    assert chip.sheet.energy.synop.basis == "fit"


def test_truenorth_ticks_take_a_millisecond_and_a_run_costs_its_synops() -> None:
    chip = ne.load_chip("truenorth")
    run = ne.run(ne.compile(fed(chip, 8, 4, np.ones((8, 4))), chip), np.ones((20, 8), int), engine="event")
    assert len(run.spikes) > 50
    costs = ne.report(run)
    assert costs.total_fj == run.counts["synop"] * 2297 > 0
    assert costs.unknown == ("host_packet",)
    assert costs.bound_ps == run.ticks * 10**9


def test_odin_costs_its_title_per_synaptic_operation() -> None:
    """12.7 pJ/SOP, all included (Frenkel 2019)."""
    chip = ne.load_chip("odin")
    rng = np.random.default_rng(0)
    run = ne.run(
        ne.compile(fed(chip, 40, 30, rng.integers(1, 8, (40, 30))), chip), rng.integers(0, 2, (25, 40)), engine="event"
    )
    assert len(run.spikes) > 50
    costs = ne.report(run)
    assert costs.total_fj / run.counts["synop"] == 12700
    assert costs.unknown == ()
    assert costs.by_basis == {"silicon": costs.total_fj}


STDP = '''
"""Every firing moves its synapses."""
from neuroemu.isa import Weight, clamp

ONLINE = True


def fire_synapse(w: Weight):
    w = clamp(w + 1, -250, 250)
    return w
'''


def test_loihi_updates_a_weight_for_120_picojoules(tmp_path: Path) -> None:
    """Davies 2018, table 2: 120 pJ a pairwise STDP update, 23.6 a synaptic operation, 81 and 52 a neuron update."""
    (tmp_path / "stdp.py").write_text(STDP)
    chip = ne.load_chip("loihi1")
    image = ne.compile(fed(chip, 6, 5, np.full((6, 5), 20), rule=str(tmp_path / "stdp.py")), chip)
    rng = np.random.default_rng(1)
    run = ne.run(image, rng.integers(0, 2, (10, 3, 6)) * (rng.random((10, 3, 1)) < 0.6), engine="python", plastic=True)
    assert np.any(next(iter(run.weights.values())) != 20)
    for event, picojoules in (
        ("weight_update", 120),
        ("synop", Decimal("23.6")),
        ("soma_active", 81),
        ("soma_idle", 52),
    ):
        count, energy = row(run, event)
        assert count > 0
        assert energy == count * picojoules * 1000
    assert [chip.barrier_ps(tiles) for tiles in (1, 32)] == [113000, 465000]


@pytest.mark.parametrize(("name", "hops"), [("loihi1", (3.0, 4.0)), ("loihi1_fit", (3.0, 4.2))])
def test_a_hop_costs_what_the_source_says(name: str, hops: tuple[float, float]) -> None:
    """One packet a tick, from tile (0, 0) to tile (5, 2): 5 hops east and 2 south (Davies 2018; SANA-FE's arch/loihi.yaml)."""
    chip = ne.load_chip(name)
    network = ne.Network(
        [ne.Population("in", 1, ne.HostInput()), population(chip, "a", 1), population(chip, "b", 1)],
        [projection(chip, "in", "a", [[100]]), projection(chip, "a", "b", [[100]])],
    )
    image = ne.compile(network, chip, placement={"a": [(0, 1)], "b": [((2 * 8 + 5) * 4, 1)]})
    run = ne.run(image, np.ones((10, 1), int), engine="event")
    packets = np.count_nonzero(run.raster("a"))
    assert packets == 10
    for event, distance, picojoules in zip(("hop_x", "hop_y"), (5, 2), hops, strict=True):
        assert row(run, event) == (packets * distance, round(packets * distance * picojoules * 1000))
    if name == "loihi1_fit":
        assert row(run, "send") == (20, 20 * 69300)
        assert row(run, "packet") == (packets, packets * 111000)
        assert row(run, "synop") == (20, 20 * 35500)
        assert row(run, "soma_active") == (20, 20 * (51200 + 21600))
        assert ne.report(run).unknown == ("host_packet", "barrier")


def test_the_fit_synchronises_by_its_table_and_knows_nothing_beyond() -> None:
    chip = ne.load_chip("loihi1_fit")
    assert [chip.barrier_ps(tiles) for tiles in (1, 2, 3, 4, 29)] == [600000, 1000000, 1200000, 1400000, 1800000]
    assert chip.barrier_ps(30) is None


def test_loihi_is_the_same_chip_in_both_datasheets() -> None:
    published, fitted = (ne.load_chip(name).sheet for name in ("loihi1", "loihi1_fit"))
    for part in ("registers", "parameters", "programs", "neurons", "axons_in", "axons_out", "synapse_words", "delay"):
        assert getattr(published.core, part) == getattr(fitted.core, part), part
    assert published.mesh == fitted.mesh


def test_loihi2_has_no_price_at_all() -> None:
    chip = ne.load_chip("loihi2")
    assert all(chip.energy_fj(event) is None for event in EVENTS)
    assert chip.n_cores * (chip.limit("neurons") or 0) == 2**20
    assert chip.payload_bits == 32


def test_atlas_prices_operations_as_generic45_and_wires_as_truenorths_silicon() -> None:
    atlas, generic = ne.load_chip("atlas"), ne.load_chip("generic45")
    shared = [event for event in EVENTS if generic.energy_fj(event) is not None]
    assert len(shared) > 12
    assert [atlas.energy_fj(event) for event in shared] == [generic.energy_fj(event) for event in shared]
    assert atlas.energy_fj("hop_x") == atlas.energy_fj("hop_y") == 64 * 72
    assert [event for event in EVENTS if getattr(atlas.sheet.energy, event) is None] == []
    assert {figure["basis"] for _, figure in figures(tomllib.loads(atlas.text)) if "basis" in figure} == {
        "estimated",
        "derived",
    }


@pytest.mark.parametrize("name", ["atlas", "generic45", "loihi2"])
def test_chips_with_programmable_cores_run_every_shipped_neuron(name: str) -> None:
    for path in sorted((CORES.parent / "firmware" / "neurons").glob("*.py")):
        assert ne.check_file(path, ne.load_chip(name), {})


# ---- limits: at the limit it compiles, one above it is refused in these words
def stating(limit: str) -> list[str]:
    """Chips that state a limit."""
    return [name for name in CHIPS if ne.load_chip(name).limit(limit) is not None]


def refused(
    chip: Chip, network: ne.Network, text: str, error: type[Exception] = ne.CapacityError, **options: Any
) -> None:
    with fails(error, text):
        ne.compile(network, chip, **options)


def at(chip: Chip, limit: str) -> tuple[int, str]:
    """The limit and its source."""
    value = chip.limit(limit)
    assert value is not None
    return value, chip.source(limit)


@pytest.mark.parametrize("name", stating("neurons"))
def test_neurons(name: str) -> None:
    chip = ne.load_chip(name)
    limit, source = at(chip, "neurons")
    assert ne.compile(fed(chip, 1, limit, fan(1, 1)), chip, split=False).n_cores == 1
    if chip.n_cores > 1:
        assert ne.compile(fed(chip, 1, limit + 1, fan(1, 1)), chip).n_cores == 2
    refused(
        chip, fed(chip, 1, limit + 1, fan(1, 1)),
        f"cores/{name}.toml: population 'p' needs {limit + 1} neurons on one core, {name} has {limit} ({source}); "
        f"its first {limit} neurons fit, allow splitting with split=True", split=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", stating("axons_in"))
def test_axons_in(name: str) -> None:
    chip = ne.load_chip(name)
    limit, source = at(chip, "axons_in")
    image = ne.compile(fed(chip, limit, 1, fan(limit, 1)), chip)
    assert image.usage[0]["axons_in"] == limit
    refused(
        chip, fed(chip, limit + 1, 1, fan(limit + 1, 1)),
        f"cores/{name}.toml: neuron 0 of population 'p' has a fan-in of {limit + 1} sources = {limit + 1} axons in on one core, "
        f"{name} has {limit} ({source}); at most {limit} sources fit, and a neuron split over cores would sum otherwise",
    )  # fmt: skip


def spread(chip: Chip, n: int, entries: int) -> tuple[ne.Network, dict[str, list[tuple[int, int]]]]:
    """``n`` neurons on core 0 that send ``entries`` packets among them, each to another core than the one before."""
    cores = -(-entries // n)
    lists = ne.Sparse(np.arange(entries) % n, np.arange(entries) // n, np.ones(entries))
    network = ne.Network(
        [ne.Population("in", 1, ne.HostInput()), population(chip, "a", n), population(chip, "b", cores)],
        [projection(chip, "in", "a", fan(1, 1)), projection(chip, "a", "b", lists)],
    )
    return network, {"a": [(0, n)], "b": [(1 + k, 1) for k in range(cores)]}


@pytest.mark.parametrize("name", stating("axons_out"))
def test_axons_out(name: str) -> None:
    chip = ne.load_chip(name)
    limit, source = at(chip, "axons_out")
    network, placement = spread(chip, 1000, limit)
    assert ne.compile(network, chip, placement=placement).usage[0]["axons_out"] == limit
    network, placement = spread(chip, 1000, limit + 1)
    refused(
        chip, network,
        f"cores/{name}.toml: core 0 with 'a' needs {limit + 1} routing entries, {name} has {limit} axons out ({source}); "
        "the first 999 of its 1000 neurons fit, put the rest elsewhere, or their targets on fewer cores", placement=placement,
    )  # fmt: skip


@pytest.mark.parametrize("name", stating("targets"))
def test_targets(name: str) -> None:
    chip = ne.load_chip(name)
    limit, source = at(chip, "targets")
    network, placement = spread(chip, 3, 3 * limit)
    assert len(ne.compile(network, chip, placement=placement).routing.axon_core) == 3 * limit + 1
    network, placement = spread(chip, 3, 3 * limit + 2)
    refused(
        chip, network,
        f"cores/{name}.toml: neuron 0 of population 'a' on core 0 sends to {limit + 1} axons, "
        f"a neuron of {name} to at most {limit} ({source}); "
        "put its targets on fewer cores, or relay it through neurons", placement=placement,
    )  # fmt: skip


@pytest.mark.parametrize("name", stating("axon_kinds"))
def test_axon_kinds(name: str) -> None:
    """One source into two ports of one core, or (where there are delays) at two delays."""
    chip = ne.load_chip(name)
    limit, source = at(chip, "axon_kinds")
    assert limit == 1
    other = {"truenorth": "type3", "odin": "inh"}[name]
    network = fed(chip, 2, 3, fan(2, 3))
    ne.compile(network, chip)
    text = (
        f"cores/{name}.toml: neuron 0 of population 'p' gives the axon of neuron 1 of population 'in' synapses of 2 kinds "
        f"(ports and delay) on one core, {name} has 1 ({source}); use a source for each kind"
    )
    one = ne.Sparse([1], [0], [1])
    refused(chip, network.add(ne.Projection("in", "p", one, "second", routes={"input": [(other, "weight")]})), text)
    if chip.limit("delay"):
        refused(chip, network.add(projection(chip, "in", "p", one, name="second", delay=2)), text)
    if chip.n_cores > 1:  # another core has an axon of its own
        elsewhere = ne.Projection("in", "q", one, routes={"input": [(other, "weight")]})
        ne.compile(network.add(population(chip, "q", 1), elsewhere), chip, placement={"p": [(0, 3)], "q": [(9, 1)]})


@pytest.mark.parametrize("name", stating("synapse_words"))
def test_synapse_words(name: str) -> None:
    """Sources with whole words of synapses each, as many as fill the memory; then one synapse more, which takes a word."""
    chip = ne.load_chip(name)
    limit, source = at(chip, "synapse_words")
    weight = chip.bits("weight", "weight")
    assert weight is not None
    n_in = {"odin": 256, "loihi2": 8192}.get(name, 4096)
    width = limit // n_in * chip.word_bits // weight.bits
    assert -(-width * weight.bits // chip.word_bits) * n_in == limit
    image = ne.compile(fed(chip, n_in, width, fan(n_in, width)), chip, split=False)
    assert image.usage[0]["synapse_words"] == limit
    fitting = limit // n_in * chip.word_bits // weight.bits - (
        8 if name == "odin" else 0
    )  # a crosspoint more: a word less
    if name == "odin":  # a crossbar can only overflow where a crosspoint is used twice
        over = fed(chip, n_in, width, fan(n_in, width)).add(
            projection(chip, "in", "p", ne.Sparse([0], [0], [1]), name="again")
        )
    else:
        over = fed(chip, n_in, width + 1, plus(fan(n_in, width), 5, width))
    refused(
        chip, over,
        f"cores/{name}.toml: population 'p' needs {limit + 1} synapse words on one core, {name} has {limit} ({source}); "
        f"its first {fitting} neurons fit, allow splitting with split=True", split=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", stating("delay"))
def test_delay(name: str) -> None:
    chip = ne.load_chip(name)
    limit, source = at(chip, "delay")
    image = ne.compile(fed(chip, 2, 2, fan(2, 2), delay=limit), chip)
    assert image.projections[0].parts[0].delay == limit
    refused(
        chip, fed(chip, 2, 2, fan(2, 2), delay=limit + 1),
        f"cores/{name}.toml: projection 'in->p' needs a delay of {limit + 1} ticks (0 of them to balance paths), {name} has {limit} "
        f"({source}); give it delays of at most {limit}",
    )  # fmt: skip


@pytest.mark.parametrize("name", CHIPS)
def test_weights(name: str) -> None:
    chip = ne.load_chip(name)
    low, high = chip.weight_range
    ne.compile(fed(chip, 2, 1, [[low], [high]]), chip)
    for weight in (low - 1, high + 1):
        way_out = "use weights of 0 and above" if low == 0 > weight else "scale the weights down"
        refused(
            chip, fed(chip, 1, 1, [[weight]]),
            f"projection 'in->p': weight {weight} is outside {low}..{high}, what {name} stores "
            f"({chip.sheet.core.registers['weight'].source}); {way_out}", ne.UnsupportedError,
        )  # fmt: skip


LOIHI = (
    "no source states a graded payload for {0}; route the weight alone, or choose a chip that has all this needs "
    "(atlas, generic45, loihi2), or vouch for the chip with assume='graded_payload'"
)
NO_PAYLOAD = {
    "odin": "odin lacks a graded payload (odin); route the weight alone, or choose a chip that has all this needs "
    "(atlas, generic45, loihi2)",
    "truenorth": "truenorth lacks a graded payload (akopyan2015); route the weight alone, or choose a chip that has all this needs "
    "(atlas, generic45, loihi2)",
}  # fmt: skip


@pytest.mark.parametrize("name", CHIPS)
def test_payload(name: str) -> None:
    """A chip with 32-bit payloads takes all a packet can hold; one without takes none."""
    chip = ne.load_chip(name)
    port = PORT.get(name, "drive")
    graded = ne.Network(
        [ne.Population("in", 1, ne.HostInput()), population(chip, "p", 1)],
        [ne.Projection("in", "p", [[1]], routes={"input": [(port, "weight*payload")]})],
    )
    if chip.payload_bits:
        image = ne.compile(graded, chip)
        run = ne.run(image, np.array([[2**31 - 1], [-(2**31)]]), engine="python")
        assert run.counts["synop"] == 2
        with fails(ne.StimulusError, "input 'in' holds 2147483648; a payload has 32 bits"):
            ne.run(image, np.array([[2**31]]))
    else:
        refused(
            chip, graded,
            f"projection 'in->p': route multiplies by the payload, {NO_PAYLOAD.get(name, LOIHI.format(name))}",
            ne.UnsupportedError,
        )  # fmt: skip


@pytest.mark.parametrize("name", stating("payload"))
def test_narrow_payload(name: str) -> None:
    """With payloads of 8 bits, which the test writes into the datasheet, the host can send no more."""
    line = next(line for line in (CORES / f"{name}.toml").read_text().splitlines() if line.startswith("payload"))
    chip = edited(name, (line, line.replace("value = 32", "value = 8")))
    network = ne.Network(
        [
            ne.Population("in", 1, ne.HostInput()),
            ne.Population("p", 1, ne.Firmware("if_ternary", {"threshold": 1 << 20})),
        ],
        [ne.Projection("in", "p", [[1]], routes={"input": [("drive", "weight*payload")]})],
        outputs=["p"],
    )
    image = ne.compile(network, chip)
    run = ne.run(image, np.array([[127], [-128], [3]]), engine="python")
    assert run.state["p.v"].tolist() == [2 << chip.weight_shift]
    for payload in (128, -129):
        with fails(
            ne.StimulusError,
            f"input 'in' carries payload {payload}, a payload of {name} has 8 bits, -128..127 ({chip.source('payload')}); "
            "scale it down, or choose a chip with wider ones, such as generic45",
        ):
            ne.run(image, np.array([[payload]]), engine="python")


@pytest.mark.parametrize("bits", [1, 33])
def test_a_payload_has_2_to_32_bits(bits: int) -> None:
    with fails(
        ne.DatasheetError,
        f"cores/atlas.toml: core.payload: {bits} bits; a packet carries 2 to 32, signed: leave the key out if "
        "the chip has no graded payload",
    ):
        edited("atlas", ("payload       = { value = 32", f"payload       = {{ value = {bits}"))


@pytest.mark.parametrize("name", CHIPS)
def test_core_numbers(name: str) -> None:
    chip = ne.load_chip(name)
    network = fed(chip, 1, 1, [[1]])
    last = chip.n_cores - 1
    assert ne.compile(network, chip, placement={"p": [(last, 1)]}).populations[1].slices[0].core == last
    refused(
        chip, network,
        f"placement of population 'p' names core {last + 1}, {name} has cores 0..{last} ({chip.sheet.mesh.source}); name one of these",
        placement={"p": [(last + 1, 1)]},
    )  # fmt: skip


@pytest.mark.parametrize("name", stating("neurons"))
def test_number_of_cores(name: str) -> None:
    """Three neurons a core and a mesh of 2 x 1 tiles, which the test writes into the datasheet."""
    chip = ne.load_chip(name)
    mesh = chip.sheet.mesh
    small = edited(
        name,
        (f'value = {chip.limit("neurons")}, unit = "neuron"', 'value = 3, unit = "neuron"'),
        (f"\nwidth = {mesh.width}\n", "\nwidth = 2\n"),
        (f"\nheight = {mesh.height}\n", "\nheight = 1\n"),
        *([("\ncore = 0\n", "\ncore = 1\n")] if name == "odin" else []),
    )
    room = 3 * 2 * mesh.cores_per_tile
    runs = {"odin": {"odin"}, "truenorth": {"truenorth"}}.get(name, {"loihi1", "loihi1_fit"})
    holders = ", ".join(sorted({"atlas", "generic45", "loihi2"} | runs))
    assert ne.compile(fed(small, 1, room, fan(1, room)), small).n_cores == 2 * mesh.cores_per_tile
    refused(
        small, fed(small, 1, room + 1, fan(1, 1)),
        f"cores/{name}.toml: no core left for population 'p' from neuron {room} on, the network takes {small.n_cores + 1} cores and "
        f"{name} has {small.n_cores} ({mesh.source}); make it smaller, or choose a larger chip (there is room on {holders})",
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(CHIPS) - set(stating("axons_in"))))
def test_axons_a_key_addresses(name: str) -> None:
    """Where no number of axons is stated, the key's field is the limit: cut down to 3 bits here where it has many."""
    bits = ne.load_chip(name).sheet.key.axon
    chip = edited(name, (f"\naxon = {bits}\n", "\naxon = 3\n"))
    source = chip.sheet.key.source
    assert len(ne.compile(fed(chip, 8, 1, fan(8, 1)), chip).routing.axon_core) == 8
    refused(
        chip, fed(chip, 9, 1, fan(9, 1)),
        f"cores/{name}.toml: neuron 0 of population 'p' has a fan-in of 9 sources = 9 axons in on one core, "
        f"a key of {name} addresses 8 ({source}); at most 8 sources fit, and a neuron split over cores would sum otherwise",
    )  # fmt: skip


PARAMETERS = [
    (name, parameter)
    for name in CHIPS
    for parameter in ne.load_chip(name).sheet.core.parameters
]  # fmt: skip
PROGRAM: dict[str, Callable[[str, int], ne.Firmware]] = {
    "truenorth": lambda p, x: ne.Firmware("truenorth", {**NEURON["truenorth"].params, p: x}),
    "odin": lambda p, x: ne.Firmware("odin", {**NEURON["odin"].params, p: x}),
}


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_parameters(name: str, parameter: str) -> None:
    """The least and the largest value compile; one step outside, and half a step inside, do not."""
    chip = ne.load_chip(name)
    stated = chip.sheet.core.parameters[parameter]
    step = stated.step

    def using(value: int) -> ne.Network:
        base = {"decay_u": 0, "decay_v": 0, "threshold": 64}
        make = PROGRAM.get(name, lambda p, x: ne.Firmware("cuba_lif", {**base, p: x}))
        return ne.Network([ne.Population("p", 1, make(parameter, value))])

    for value in (stated.min, stated.max):
        ne.compile(using(value), chip)
    declared = ne.load_program(using(0).populations[0].neuron.program).arguments[parameter].limits  # type: ignore[union-attr]
    for value in {stated.min - step, stated.max + step, *([stated.max - step // 2] if step > 1 else [])}:
        if declared and not declared[0] <= value <= declared[1]:
            text = (
                f"population 'p': {parameter} is {value}, its program takes {declared[0]}..{declared[1]}; give one of these, or rescale "
                "the network"
            )
            refused(chip, using(value), text, ne.NetworkError)
            continue
        steps, note = f" in steps of {step}" if step > 1 else "", f": {stated.note}" if stated.note else ""
        way = "move it with bias='voltage', or choose" if parameter == "bias_u" else "change the network, or choose"
        refused(
            chip, using(value),
            f"population 'p': {parameter} is {value}, {name} takes {stated.min}..{stated.max}{steps} ({stated.source}{note}); "
            f"{way} a chip such as generic45", ne.UnsupportedError,
        )  # fmt: skip


# ---- programs
@pytest.mark.parametrize("name", [name for name in CHIPS if ne.load_chip(name).sheet.core.programs.names])
def test_programs(name: str) -> None:
    chip = ne.load_chip(name)
    allowed = chip.sheet.core.programs
    for program in allowed.names:
        assert ne.check_file(program, chip, allowed.switches if program in ("lif", "cuba_lif", "if") else {})
    with fails(
        ne.UnsupportedError,
        f"alif: {name} runs only the neuron programs {', '.join(allowed.names)} ({allowed.source}); "
        "choose a chip that runs any, such as generic45",
    ):
        ne.check_file("alif", chip, {})
    other = ne.Network(
        [ne.Population("p", 1, ne.Firmware("alif", {"decay_v": 0, "decay_a": 0, "threshold": 1, "step": 1}))]
    )
    refused(
        chip, other,
        f"population 'p': program 'alif' is not in {name}, which runs {', '.join(allowed.names)} ({allowed.source}); "
        "use one of these, or a chip such as generic45", ne.UnsupportedError,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["truenorth", "odin"])
def test_chips_without_rules_take_none(name: str, tmp_path: Path) -> None:
    (tmp_path / "stdp.py").write_text(STDP)
    chip, rule = ne.load_chip(name), str(tmp_path / "stdp.py")
    source = chip.sheet.core.programs.source
    refused(
        chip, fed(chip, 1, 1, [[1]], rule=rule),
        f"projection 'in->p': rule '{rule}' is not in {name}, which runs the rules: none ({source}); "
        "take the rule away, or choose a chip that learns, such as generic45", ne.UnsupportedError,
    )  # fmt: skip
    with fails(
        ne.UnsupportedError,
        f"{rule}: {name} runs only the rules: none ({source}); choose a chip that runs any, such as generic45",
    ):
        ne.check_file(rule, chip, {})
    assert ne.check_file(rule, ne.load_chip("loihi1"), {})
    assert ne.chip_facts(chip)["tables"]["neuron programs"][0]["value"] == f"{name}; rules: none"


# ---- a range of stored weights narrower than the register
def test_a_stated_range_of_weights_is_kept_by_quantisation_too() -> None:
    """Floats are scaled to fit below max; what is then below min is refused, never clipped."""
    chip = edited("generic45", ("weight     = { bits = 16,", "weight     = { bits = 16, min = 0, max = 100,"))
    weights = [[0.5, 0.25], [1.0, 0.0]]

    def network(low: float) -> ne.Network:
        populations = [ne.Population("in", 2, ne.HostInput()), ne.Population("p", 2, ne.LIF(1e-3))]
        return ne.Network(populations, [ne.Projection("in", "p", [weights[0], [weights[1][0], low]])])

    stored = ne.compile(network(0.0), chip).projections[0].parts[0].weight
    assert stored.tolist() == [50, 25, 100]
    facts = ne.chip_facts(chip)["tables"]["register"]
    assert next(fact["value"] for fact in facts if fact["name"] == "weight") == "16 bits, saturates, stores 0..100"
    refused(
        chip, network(-0.5),
        "projection 'in->p': weight -50 is outside 0..100, what generic45 stores (choice); use weights of 0 and above",
        ne.UnsupportedError,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            ("weight     = { bits = 16,", "weight     = { bits = 16, min = 0, max = 32768,"),
            "cores/generic45.toml: core.registers.weight: 0..32768 is not a range within 16 bits, -32768..32767; "
            "state more bits, or a smaller range",
        ),
        (
            ("weight     = { bits = 16,", "weight     = { bits = 16, min = 5, max = 4,"),
            "cores/generic45.toml: core.registers.weight: 5..4 is not a range within 16 bits, -32768..32767; "
            "state more bits, or a smaller range",
        ),
        (
            ("keep       = { bits = 32,", "keep       = { bits = 32, min = 0,"),
            "cores/generic45.toml: core.registers.keep: min and max are for weight only; state the bits of a register",
        ),
    ],
)
def test_ranges_of_registers_are_checked(change: tuple[str, str], text: str) -> None:
    with fails(ne.DatasheetError, text):
        edited("generic45", change)
