"""docs/datasheet.md against the schema: every key is listed, and its chip of 60 lines is a chip."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from fails import fails

import neuroemu as ne
from neuroemu.chip.datasheet import (
    BASES,
    ENERGY_UNITS,
    EVENTS,
    FEATURES,
    POWER_UNITS,
    TIME_UNITS,
    Core,
    Datasheet,
    Energy,
    Feature,
    Figure,
    KeyFields,
    Mesh,
    Noc,
    Power,
    Programs,
    Range,
    Register,
    Time,
    json_schema,
)
from neuroemu.cli.main import main

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "datasheet.md").read_text()
EXAMPLE = DOCS / "examples" / "mychip.toml"
PARTS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(
    "table", [Core, Energy, Feature, Figure, KeyFields, Mesh, Noc, Power, Programs, Range, Register, Time]
)
def test_every_key_is_listed(table: type[msgspec.Struct]) -> None:
    words = set(re.findall(r"\w+", PAGE))
    assert set(table.__struct_fields__) <= words


def test_units_bases_and_events_are_listed_as_they_are() -> None:
    for unit in (*ENERGY_UNITS, *TIME_UNITS, *POWER_UNITS, *BASES):
        assert re.search(rf"\b{unit}\b", PAGE), unit
    rows = re.findall(r"^\| `(\w+)` \| ([a-z-]+): (.*) \|$", PAGE, re.MULTILINE)
    assert rows == [(name, event.unit, event.meaning) for name, event in EVENTS.items()]
    assert set(EVENTS) == set(Energy.__struct_fields__)
    features = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|$", PAGE, re.MULTILINE)
    assert [row for row in features if row[0] in FEATURES] == [(name, *words) for name, words in FEATURES.items()]


def test_the_parts_of_the_page_are_the_example() -> None:
    assert "\n".join(PARTS) == EXAMPLE.read_text()
    assert len(EXAMPLE.read_text().splitlines()) <= 60


def test_the_walk_ends_at_a_chip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each part is asked for by an error that names the file, until the chip is there and is shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["neuroemu", "chips", "./mine.toml"])
    mine, asked = Path("mine.toml"), []
    for count in range(len(PARTS)):
        mine.write_text("\n".join(PARTS[:count]))
        with pytest.raises(SystemExit) as ended:
            main()
        said = " ".join(capsys.readouterr().err.split())
        assert ended.value.code == 2
        assert "mine.toml: " in said
        assert said.endswith("; docs/datasheet.md lists the keys")
        asked.append(said)
    assert len(set(asked)) >= 5, "the answers do not lead on"
    with fails(ne.DatasheetError, "mine.toml: key 'core' is missing; docs/datasheet.md lists the keys"):
        mine.write_text("")
        ne.load_chip("mine.toml")
    shutil.copy(EXAMPLE, mine)
    main()
    said = capsys.readouterr().out
    for text in (
        "mychip: My chip, 16 cores, 16 cores",
        "personal communication",
        "energy of host_packet",
        "not applicable",
    ):
        assert text in said


def test_the_example_runs_a_network_and_says_what_it_does_not_know() -> None:
    chip = ne.load_chip(EXAMPLE)
    rng = np.random.default_rng(0)
    network = ne.Network(
        [ne.Population("in", 20, ne.HostInput()), ne.Population("p", 10, ne.LIF(1e-3, 1.0))],
        [ne.Projection("in", "p", rng.random((20, 10)))],
        outputs=["p"],
    )
    run = ne.run(ne.compile(network, chip), rng.integers(0, 2, (30, 20)), engine="event")
    assert len(run.spikes) > 30
    costs = ne.report(run)
    assert costs.total_fj == run.counts["synop"] * 8400 + run.counts["soma_active"] * 20000
    assert {"host_packet", "send", "axon_in"} <= set(costs.unknown)
    assert "soma_idle" not in costs.unknown
    assert chip.barrier_ps(16) == 120000
    assert chip.barrier_ps(17) is None
    subtracting = ne.Network(network.populations, network.projections, conventions=ne.Conventions(reset="subtract"))
    with fails(
        ne.UnsupportedError,
        "population 'p': reset by subtraction is not in mychip (paper); use reset='zero', or a chip that has it, such as generic45",
    ):
        ne.compile(subtracting, chip)


def test_the_schema_for_editors_holds_every_table() -> None:
    definitions = json_schema()["$defs"]
    assert json_schema()["title"] == "neuroemu datasheet"
    assert {"Core", "Energy", "Figure", "Register", "Mesh", "KeyFields"} <= definitions.keys()
    assert set(definitions["Core"]["properties"]) == set(Core.__struct_fields__)
    assert set(definitions["Datasheet"]["properties"]) == set(Datasheet.__struct_fields__)
    assert "decimal" not in str(json_schema())
