"""A datasheet is loaded and checked: what is wrong is refused by its whole text, and the nearest right thing passes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fails import fails

import neuroemu as ne
from neuroemu.base import shelf
from neuroemu.base.errors import DatasheetError, FileError, UnknownNameError, UnsupportedError
from neuroemu.chip.chip import parse_chip
from neuroemu.chip.datasheet import EVENTS, json_schema

CORES = Path(__file__).parents[2] / "cores"
LOIHI = (CORES / "loihi1.toml").read_text()
ALL = ", ".join(sorted(path.stem for path in CORES.glob("*.toml")))
SYNOP = 'value = 23.6, unit = "pJ", basis = "simulated", source = "davies2018", note = "stated as a minimum"'
NEURONS = 'value = 1024, unit = "neuron", basis = "silicon", source = "davies2018"'
HOP = 'value = 4.1, unit = "ns", basis'
POINTS = "points = [[1, 113], [32, 465]]"
PORT = 'port   = { bits = 22, overflow = "wrap"'
WEIGHT = 'weight = { bits = 9, overflow = "saturate"'
SHIFT = 'value = 6, unit = "bit", basis = "derived", source = "lava"'
NAMES = 'names = ["lif", "cuba_lif", "if", "li", "cuba_li"]'
KEY = "channel = 3\nchip = 10\ncore = 7\naxon = 12"
RANGE = "decay_u   = { min = 0, max = 4096"


def edited(old: str, new: str) -> str:
    """The shipped datasheet with one piece exchanged."""
    assert LOIHI.count(old) == 1, old
    return LOIHI.replace(old, new)


def parsed(old: str, new: str) -> ne.Chip:
    return parse_chip(edited(old, new), "x.toml")


BAD = [
    # the text itself
    ('name = "loihi1"', "name = ", "x.toml: not TOML: Invalid value (at line 6, column 8); correct the syntax"),
    # the schema
    (
        'name = "loihi1"',
        'nam = "loihi1"',
        "x.toml: core: there is no key 'nam'; docs/datasheet.md lists the keys",
    ),
    (
        'title = "Intel',
        '# "Intel',
        "x.toml: core: key 'title' is missing; docs/datasheet.md lists the keys",
    ),
    ("[power]", "[powers]", "x.toml: there is no key 'powers'; docs/datasheet.md lists the keys"),
    (
        "value = 23.6",
        "value = true",
        "x.toml: energy.synop.value: expected a number, got true or false; docs/datasheet.md lists the keys",
    ),
    (
        "bits = 22",
        "bits = 1",
        "x.toml: core.registers.port.bits: expected a whole number of at least 2; docs/datasheet.md lists the keys",
    ),
    (
        "bits = 22",
        "bits = 65",
        "x.toml: core.registers.port.bits: expected a whole number of at most 64; docs/datasheet.md lists the keys",
    ),
    (
        RANGE,
        "decay_u = { min = 0.5, max = 1",
        "x.toml: core.parameters.decay_u.min: expected a whole number, got a number; docs/datasheet.md lists the keys",
    ),
    (
        "step = 64",
        "step = 0",
        "x.toml: core.parameters.threshold.step: expected a whole number of at least 1; docs/datasheet.md lists the keys",
    ),
    (
        "width = 8",
        "width = 0",
        "x.toml: mesh.width: expected a whole number of at least 1; docs/datasheet.md lists the keys",
    ),
    # what a figure states
    (
        SYNOP,
        'basis = "fit", source = "lava"',
        "x.toml: energy.synop: states 0 of value, points, included_in and not_applicable; "
        "state one, or leave the key out if the figure is unknown",
    ),
    (
        SYNOP,
        f'{SYNOP}, included_in = "packet"',
        "x.toml: energy.synop: states 2 of value, points, included_in and not_applicable; "
        "state one, or leave the key out if the figure is unknown",
    ),
    (
        SYNOP,
        f"{SYNOP}, not_applicable = true",
        "x.toml: energy.synop: states 2 of value, points, included_in and not_applicable; "
        "state one, or leave the key out if the figure is unknown",
    ),
    (
        POINTS,
        "points = []",
        "x.toml: time.barrier: states 0 of value, points, included_in and not_applicable; "
        "state one, or leave the key out if the figure is unknown",
    ),
    (
        SYNOP,
        'included_in = "synops"',
        f"x.toml: energy.synop: included_in 'synops' is no event; name one of {', '.join(EVENTS)}",
    ),
    (
        SYNOP,
        SYNOP.replace("value = 23.6", "points = [[1, 2]]"),
        "x.toml: energy.synop: points are for time.barrier only; state a value",
    ),
    (
        SYNOP,
        'value = 1, unit = "pJ", source = "lava"',
        "x.toml: energy.synop: no basis; add basis = silicon, simulated, derived, estimated or fit",
    ),
    (
        POINTS,
        "points = [[32, 465], [1, 113]]",
        "x.toml: time.barrier: points are not in ascending order of their count; sort them",
    ),
    (
        POINTS,
        "points = [[1, 113], [1, 465]]",
        "x.toml: time.barrier: points are not in ascending order of their count; sort them",
    ),
    # values and units
    ("value = 23.6", "value = -1", "x.toml: energy.synop: -1 is not a finite number of at least 0; correct the value"),
    (
        "value = 23.6",
        "value = nan",
        "x.toml: energy.synop: NaN is not a finite number of at least 0; correct the value",
    ),
    (
        "value = 23.6",
        "value = inf",
        "x.toml: energy.synop: Infinity is not a finite number of at least 0; correct the value",
    ),
    (
        "value = 23.6",
        "value = 1e99999999999999999999",
        "x.toml: energy.synop: Infinity is not a finite number of at least 0; correct the value",
    ),
    (
        "value = 23.6",
        "value = 1e1000000",
        "x.toml: energy.synop: 1E+1000000 is above 1e18; correct the value or its unit",
    ),
    (
        POINTS,
        "points = [[1, 113], [32, -4]]",
        "x.toml: time.barrier: -4 is not a finite number of at least 0; correct the value",
    ),
    ("value = 1024", "value = 1024.5", "x.toml: core.neurons: 1024.5 is not a whole number; a capacity is an integer"),
    (
        'value = 23.6, unit = "pJ"',
        'value = 23.6, unit = "ns"',
        "x.toml: energy.synop: unit 'ns' is not one of fJ, pJ, nJ, uJ; convert the value",
    ),
    (HOP, HOP.replace("ns", "s"), "x.toml: time.hop_x: unit 's' is not one of ps, ns, us, ms; convert the value"),
    ('unit = "mW"', 'unit = "kW"', "x.toml: power.static: unit 'kW' is not one of nW, uW, mW, W; convert the value"),
    (
        "value = 23.6",
        "value = 23.0004",
        "x.toml: energy.synop: 23.0004 pJ is not a whole number of fJ; round it and say so in note",
    ),
    (HOP, HOP.replace("4.1", "0"), "x.toml: time.hop_x: 0 ns; the timing model needs at least 1 ps here"),
    # the core
    (
        'name = "loihi1"',
        'name = "loihi-1"',
        "x.toml: core.name: 'loihi-1' is not an identifier; use letters, digits and _",
    ),
    (PORT, PORT.replace("port", "ports"), "x.toml: core.registers: no 'port'; every chip states its width"),
    (WEIGHT, WEIGHT.replace("weight", "weights"), "x.toml: core.registers: no 'weight'; every chip states its width"),
    (SHIFT, "not_applicable = true", "x.toml: core.weight_shift: no value; state 0 if stored weights are not shifted"),
    (NAMES, f"{NAMES}\nany = true", "x.toml: core.programs: state either any = true or the names of the programs"),
    (NAMES, "names = []", "x.toml: core.programs: state either any = true or the names of the programs"),
    (RANGE, "decay_u = { min = 5, max = 4", "x.toml: core.parameters.decay_u: min 5 is above max 4; exchange them"),
    # the key
    (KEY, KEY.replace("12", "13"), "x.toml: key: fields take 33 bits, a key has 32; shorten one"),
    (KEY, KEY.replace("3", "2"), "x.toml: key.channel: 2 bits hold fewer than the 6 channels; use 3"),
    (KEY, KEY.replace("7", "6"), "x.toml: key.core: 6 bits address fewer than the mesh's 128 cores; use 7"),
    (
        "cores_per_tile = 4",
        "cores_per_tile = 5",
        "x.toml: key.core: 7 bits address fewer than the mesh's 160 cores; use 8",
    ),
]


SOURCED = [
    ("core.neurons", NEURONS, NEURONS.replace("davies2018", "me")),
    ("energy.synop", SYNOP, SYNOP.replace("davies2018", "me")),
    ("mesh", 'source = "sanafe"\nnote', 'source = "me"\nnote'),
    ("key", 'source = "unpublished"', 'source = "me"'),
    ("core.programs", 'source = "davies2018"\nnote', 'source = "me"\nnote'),
    ("core.registers.port", 'source = "nengoloihi"', 'source = "me"'),
    (
        "core.parameters.bias_u",
        'max = 0, basis = "derived", source = "davies2018"',
        'max = 0, basis = "fit", source = "me"',
    ),
]


@pytest.mark.parametrize(("place", "old", "new"), SOURCED, ids=[place for place, _, _ in SOURCED])
def test_source_is_named(place: str, old: str, new: str) -> None:
    with fails(
        DatasheetError,
        f"x.toml: {place}: source 'me' is not in [sources], which has: davies2018, frady2020, lava, nengoloihi, nxtf, sanafe, "
        "unpublished; add a line that names the work",
    ):
        parsed(old, new)


@pytest.mark.parametrize(("old", "new", "text"), BAD, ids=[f"{new[:40]}: {text[:40]}" for _, new, text in BAD])
def test_datasheet_is_refused(old: str, new: str, text: str) -> None:
    with fails(DatasheetError, text):
        parsed(old, new)


# the boundary of each check, just inside
GOOD = [
    ("bits = 22", "bits = 2"),
    ("bits = 22", "bits = 64"),
    ("step = 64", "step = 1"),
    (SYNOP, 'included_in = "barrier"'),
    (SYNOP, "not_applicable = true"),
    (POINTS, "points = [[1, 113]]"),
    (POINTS, "points = [[1, 113], [2, 0]]"),
    ("value = 23.6", "value = 0"),
    ("value = 23.6", "value = 1e18"),
    ("value = 23.6", "value = 23.001"),
    ("value = 1024", "value = 1024.0"),
    (HOP, HOP.replace("4.1", "0.001")),
    (HOP.replace("4.1", "3.5"), HOP.replace("4.1", "0")),  # a synop, unlike a hop, may take no time
    (SHIFT, SHIFT.replace("6", "0")),
    (NAMES, "any = true"),
    (RANGE, "decay_u = { min = 5, max = 5"),
    ('name = "loihi1"', 'name = "loihi_1"'),
    (KEY, "channel = 3\nchip = 0\ncore = 7\naxon = 0"),
    (KEY, "channel = 3\nchip = 11\ncore = 7\naxon = 11"),
    ("cores_per_tile = 4", "cores_per_tile = 1"),
]


@pytest.mark.parametrize(("old", "new"), GOOD, ids=[new[:60] for _, new in GOOD])
def test_datasheet_passes(old: str, new: str) -> None:
    assert parsed(old, new).path == "x.toml"


# whole texts that are no edit of the shipped one
DEEP = "x.toml: nested too deeply; a datasheet is tables of figures"
TEXTS = [
    ("a = " + "[" * 5000 + "]" * 5000, DEEP),
    ("a = " + "{a = " * 5000 + "1" + "}" * 5000, DEEP),
    ("", "x.toml: key 'core' is missing; docs/datasheet.md lists the keys"),
    (
        "a = " + "9" * 5000,
        "x.toml: not TOML: Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits; use "
        "sys.set_int_max_str_digits() to increase the limit; correct the syntax",
    ),
]


@pytest.mark.parametrize(("source", "text"), TEXTS, ids=[source[:20] for source, _ in TEXTS])
def test_text_is_refused(source: str, text: str) -> None:
    with fails(DatasheetError, text):
        parse_chip(source, "x.toml")


def test_no_sources_at_all() -> None:
    with fails(
        DatasheetError,
        "x.toml: core.neurons: source 'davies2018' is not in [sources], which has: none; add a line that names the work",
    ):
        parse_chip(re.sub(r"\[sources\].*", "[sources]\n", LOIHI, flags=re.DOTALL), "x.toml")


# ---- finding one
def test_chip_by_name_and_by_path(tmp_path: Path) -> None:
    shipped = ne.load_chip("loihi1")
    (tmp_path / "mine.toml").write_text(LOIHI.replace('name = "loihi1"', 'name = "mine"'))
    mine = ne.load_chip(tmp_path / "mine.toml")
    assert (shipped.path, mine.path) == ("cores/loihi1.toml", str(tmp_path / "mine.toml"))
    assert (shipped.name, mine.name) == ("loihi1", "mine")
    assert parse_chip(shipped.text, shipped.path) == shipped
    assert mine.sheet.energy == shipped.sheet.energy


def test_chip_is_not_found(tmp_path: Path) -> None:
    with fails(UnknownNameError, f"no chip named 'loihi_1'; did you mean 'loihi1'? there are: {ALL}"):
        ne.load_chip("loihi_1")
    with fails(UnknownNameError, f"no chip named 'datasheet.schema.json'; there are: {ALL}"):
        ne.load_chip("datasheet.schema.json")
    for missing in ("./loihi1", "mine.toml", str(tmp_path), f"{tmp_path}/", "a" * 300 + ".toml"):
        with fails(FileError, f"{missing}: no such file; give the path of a datasheet, or the name of a shipped one"):
            ne.load_chip(missing)


def test_program_is_not_found() -> None:
    for missing in ("./lif", "mine.py", "./mine.py.hidden"):
        path = missing.removesuffix(".hidden")
        with fails(FileError, f"{path}: no such file; give the path of a firmware file, or the name of a shipped one"):
            ne.load_program(missing)
    known = ", ".join(shelf.programs())
    with fails(UnknownNameError, f"no program named '{'a' * 300}'; there are: {known}"):
        ne.load_program("a" * 300)


def test_file_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"# 45 \xb5m\n")
    with fails(FileError, f"{path}: byte 5 is not UTF-8; save the file as UTF-8 text"):
        ne.load_chip(path)
    with fails(FileError, f"{tmp_path}: cannot be read (Is a directory); check the path and its permissions"):
        shelf.read_text(tmp_path)


# ---- what is asked of one
def test_figures_are_whole_numbers_of_the_smallest_unit() -> None:
    chip = ne.load_chip("loihi1")
    assert (chip.energy_fj("synop"), chip.energy_fj("soma_read"), chip.energy_fj("barrier")) == (23600, None, None)
    assert (chip.time_ps("hop_y"), chip.time_ps("flit"), chip.time_ps("credit")) == (6500, 291, None)
    assert chip.static_nw() == 104_000_000
    assert [chip.barrier_ps(n) for n in (1, 2, 32, 33)] == [113_000, 124_355, 465_000, None]
    assert (chip.n_cores, chip.tile(0), chip.tile(127)) == (128, (0, 0), (7, 3))
    assert (chip.limit("neurons"), chip.source("neurons"), chip.payload_bits) == (1024, "davies2018", None)


def test_barrier_of_one_point_holds_there_only() -> None:
    chip = parsed(POINTS, "points = [[4, 113]]")
    assert [chip.barrier_ps(n) for n in (3, 4, 5)] == [None, 113_000, None]
    assert [parsed(POINTS, "value = 7").barrier_ps(n) for n in (1, 99)] == [7000, 7000]


def test_facts_name_every_unknown() -> None:
    facts = ne.chip_facts(ne.load_chip("loihi1"))
    assert "payload" in facts["unknown"]
    assert "energy of barrier" in facts["unknown"]
    energy = {row["name"]: row["value"] for row in facts["tables"]["energy"]}
    assert (energy["synop"], energy["soma_read"]) == ("23.6 pJ", "in soma_active")
    json.dumps(facts)


def test_chip_refuses_another_neuron_program(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def soma(v: State):\n    spike = 1 if v > 3 else 0\n    return v, spike\n")
    with fails(
        UnsupportedError,
        f"{path}: loihi1 runs only the neuron programs lif, cuba_lif, if, li, cuba_li (davies2018); "
        "choose a chip that runs any, such as generic45",
    ):
        ne.check_file(path, ne.load_chip("loihi1"), {})
    assert [fact.hook for fact in ne.check_file(path, ne.load_chip("generic45"), {})] == ["soma"]


# ---- the schema for editors
def test_schema_file_is_the_schema_and_the_datasheets_name_it() -> None:
    stored = (CORES / "datasheet.schema.json").read_text()
    assert stored == json.dumps(json_schema(), indent=1) + "\n", "neuroemu chips --schema > cores/datasheet.schema.json"
    for path in CORES.glob("*.toml"):
        assert path.read_text().splitlines()[0] == "#:schema ./datasheet.schema.json"


def test_schema_is_no_chip() -> None:
    assert shelf.chips() == tuple(sorted(path.stem for path in CORES.glob("*.toml")))
    assert (shelf.folder("cores") / "datasheet.schema.json").is_file()
