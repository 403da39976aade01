"""Features of a rule unit: three states in a datasheet, refusals that name who would do, and assumptions that stay visible."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from cases import firmware
from fails import fails

import neuroemu as ne
from neuroemu.base.shelf import chips
from neuroemu.chip.chip import Chip, parse_chip
from neuroemu.chip.datasheet import FEATURES
from neuroemu.cli.main import main
from neuroemu.cli.train import train_
from neuroemu.compiler.features import of_network, of_program
from neuroemu.language.program import load_program
from neuroemu.learning.training_plan import follow, plan_of

ATLAS, LOIHI, LOIHI2 = (ne.load_chip(name) for name in ("atlas", "loihi1", "loihi2"))
ALL = "choose a chip that has all this needs (atlas, generic45)"
SOMA = ne.Firmware("if", {"threshold": 9})
OFFLINE = """from neuroemu.isa import Sum, Weight


def end_synapse(moved: Sum, w: Weight):
    moved = moved + w
    return moved


def commit_synapse(w: Weight, moved: Sum):
    w = w + moved
    return w
"""


def one(n: int = 3, neuron: Any = SOMA, **projection: Any) -> ne.Network:
    return ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("a", n, neuron)],
        [ne.Projection("in", "a", np.ones((2, n)), "p", **projection)],
        outputs=["a"],
    )


def graded() -> ne.Network:
    return one(routes={"input": [("drive", "weight*payload")]})


def without(feature: str, has: str = "") -> Chip:
    """Atlas, which says nothing of a feature, or that it lacks it."""
    if feature == "graded_payload":
        line = next(line for line in ATLAS.text.splitlines() if line.startswith("payload "))
        lacks = 'payload = { not_applicable = true, source = "choice" }'
    else:
        line = next(line for line in ATLAS.text.splitlines() if line.startswith(f"{feature} "))
        lacks = line.replace("has = true", "has = false")
    return parse_chip(ATLAS.text.replace(line, lacks if has else ""), ATLAS.path)


def offline(path: Path) -> str:
    (path / "offline.py").write_text(OFFLINE)
    return str(path / "offline.py")


# ---- what is stated
def test_atlas_and_the_yardstick_have_every_feature_and_loihi_1_no_stated_one() -> None:
    for name in ("atlas", "generic45"):
        assert all(ne.load_chip(name).has(feature) is True for feature in FEATURES)
    for name in ("loihi1", "loihi1_fit"):
        assert all(ne.load_chip(name).has(feature) is None for feature in FEATURES)
    assert {name: ne.load_chip(name).has("graded_payload") for name in ("odin", "truenorth", "loihi2")} == {
        "odin": False,
        "truenorth": False,
        "loihi2": True,
    }


@pytest.mark.parametrize("name", chips())
def test_facts_say_of_every_feature_what_is_known(name: str) -> None:
    chip = ne.load_chip(name)
    facts = ne.chip_facts(chip)
    rows = {row["name"]: row for row in facts["tables"].get("rule feature", [])}
    unknown = [text.removeprefix("feature ") for text in facts["unknown"] if text.startswith("feature ")]
    assert sorted([*rows, *unknown]) == sorted(FEATURES)
    for feature, row in rows.items():
        assert row["value"] == ("has" if chip.has(feature) else "lacks")
        assert row["source"] in chip.sheet.sources
        assert row["basis"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            'winner = { has = true, basis = "silicon", source = "choice" }',
            "x.toml: core.features: 'winner' is not stated here; "
            "name one of channels, modulators, phases, winner_unit, mirrors, deferred_commit",
        ),
        (
            'graded_payload = { has = true, basis = "silicon", source = "choice" }',
            "x.toml: core.features: 'graded_payload' is not stated here; state core.payload",
        ),
        (
            'phases = { has = true, basis = "silicon", source = "nobody" }',
            "x.toml: core.features.phases: source 'nobody' is not in [sources], which has: horowitz2014, merolla2014, choice; "
            "add a line that names the work",
        ),
        (
            'phases = { has = 1, basis = "silicon", source = "choice" }',
            "x.toml: core.features.phases.has: expected true or false, got a whole number; docs/datasheet.md lists the keys",
        ),
    ],
)  # fmt: skip
def test_features_are_checked(line: str, text: str) -> None:
    chip = without("phases").text.replace("[core.features]", f"[core.features]\n{line}")
    with fails(ne.DatasheetError, text):
        parse_chip(chip, "x.toml")


def test_that_there_is_no_payload_has_a_source() -> None:
    chip = without("graded_payload", "lacks").text
    with fails(
        ne.DatasheetError,
        "x.toml: core.payload: source '' is not in [sources], which has: horowitz2014, merolla2014, choice; "
        "add a line that names the work",
    ):
        parse_chip(chip.replace('not_applicable = true, source = "choice"', "not_applicable = true"), "x.toml")


# ---- what is needed
def needed(network: ne.Network) -> set[str]:
    return {need.feature for need in of_network(network)}


def test_needs_are_read_off_programs_and_network(tmp_path: Path) -> None:
    lif = ne.LIF(1e-2)
    deep = ne.Network(
        [ne.Population("in", 4, ne.HostInput()), ne.Population("h", 3, lif), ne.Population("out", 2, lif)],
        [ne.Projection("in", "h", np.zeros((4, 3))), ne.Projection("h", "out", np.zeros((3, 2)))],
        outputs=["out"],
    )
    shallow = replace(one(neuron=lif), outputs=("a",))
    assert needed(one()) == needed(ne.wire(shallow, "stdp")) == set()
    assert needed(graded()) == {"graded_payload"}
    assert needed(ne.wire(shallow, "wta_stdp")) == {"winner_unit"}
    assert needed(one(rule=offline(tmp_path))) == {"deferred_commit"}
    assert needed(ne.wire(deep, "spikegrad")) == set(FEATURES) - {"winner_unit"}
    assert needed(ne.wire(deep, "sfdfa")) == set(FEATURES) - {"winner_unit", "mirrors"}
    for network in (ne.wire(deep, "spikegrad"), ne.wire(deep, "sfdfa"), ne.wire(shallow, "wta_stdp")):
        ne.compile(network, ATLAS, align=False)
    assert {need.feature for need in of_program(load_program(firmware("chatty")), "x")} == set(FEATURES) - {
        "winner_unit",
        "mirrors",
    }


def test_pair_stdp_needs_nothing_that_no_source_states_for_loihi_1() -> None:
    """Registers are another question, which the datasheet answers by their widths."""
    line = 'post_state = { bits = 7, overflow = "saturate", basis = "silicon", source = "davies2018" }'
    text = LOIHI.text if "post_state" in LOIHI.text else LOIHI.text.replace("[mesh]", f"{line}\n\n[mesh]")
    image = ne.compile(ne.wire(one(neuron=ne.LIF(1e-2)), "stdp"), parse_chip(text, LOIHI.path))
    assert image.assumed == image.notes == ()


# ---- what is refused
def test_rules_on_loihi_1_are_refused_for_their_payload_first() -> None:
    lif = ne.LIF(1e-2)
    deep = ne.Network(
        [ne.Population("in", 4, ne.HostInput()), ne.Population("h", 3, lif), ne.Population("out", 2, lif)],
        [ne.Projection("in", "h", np.zeros((4, 3)), "p"), ne.Projection("h", "out", np.zeros((3, 2)), "q")],
        outputs=["out"],
    )
    for rule, label in (("sfdfa", "q"), ("spikegrad", "p")):
        network = ne.wire(deep, rule)
        label = next(p.label for p in network.projections if p.routes and "weight*payload" in str(p.routes))
        with fails(
            ne.UnsupportedError,
            f"projection '{label}': route multiplies by the payload, no source states a graded payload for loihi1; "
            f"route the weight alone, or {ALL}",
        ):
            ne.compile(network, LOIHI)
        ne.compile(network, ATLAS, align=False)


def test_each_feature_is_refused_where_it_is_unknown_and_where_it_is_lacking(tmp_path: Path) -> None:
    rule = offline(tmp_path)
    chatty = ne.Firmware(firmware("chatty"), {"threshold": 9, "decay": 1, "curve": np.zeros(16, int)})
    rival = ne.Firmware(firmware("rival"), {"threshold": 9})
    compete = {"fire": "v_learn", "spike": "v_send"}
    rivals = replace(one(), populations=(ne.Population("in", 2, ne.HostInput()), ne.Population("a", 3, rival, compete)))
    soft = one(rule=rule).add(ne.Projection("a", "a", np.ones((3, 3)), "back", rule=rule, mirror="p"))
    path = load_program(firmware("chatty")).path
    places = {
        "graded_payload": (graded(), "projection 'p': route multiplies by the payload", "route the weight alone, or "),
        "channels": (one(neuron=chatty), f"population 'a': {path}:LINE: soma of 'chatty' sends on channel 'error'", ""),
        "modulators": (one(neuron=chatty), f"population 'a': {path}:LINE: modulate of 'chatty' takes a value from the host", ""),
        "phases": (one(neuron=chatty), f"population 'a': {path}:LINE: soma of 'chatty' reads the phase", ""),
        "winner_unit": (rivals, "population 'a': competes", ""),
        "mirrors": (soft, "projection 'back': learns as mirror of 'p'", ""),
        "deferred_commit": (
            one(rule=rule),
            f"projection 'p': {rule}:LINE: commit_synapse of 'offline' changes registers after several presentations", "",
        ),
    }  # fmt: skip
    assert set(places) == set(FEATURES)
    for feature, (network, place, instead) in places.items():
        text = Path(rule if feature == "deferred_commit" else path).read_text()
        hook = {"channels": "soma", "modulators": "modulate", "phases": "soma", "deferred_commit": "commit_synapse"}
        where = text[: text.index(f"def {hook.get(feature, '')}") + 1] if feature in hook else ""
        place = place.replace("LINE", f"{where.count(chr(10)) + 1}:1")
        noun, fit = (
            FEATURES[feature][0],
            "atlas, generic45, loihi2" if feature == "graded_payload" else "atlas, generic45",
        )
        good = f"{instead}choose a chip that has all this needs ({fit})"
        with fails(
            ne.UnsupportedError,
            f"{place}, no source states {noun} for atlas; {good}, or vouch for the chip with assume='{feature}'",
        ):
            ne.compile(network, without(feature))
        with fails(ne.UnsupportedError, f"{place}, atlas lacks {noun} (choice); {good}"):
            ne.compile(network, without(feature, "lacks"))
        with fails(
            ne.UnsupportedError,
            f"assume names {feature}, but atlas lacks {noun} (choice); only what no source states can be assumed, "
            "choose another chip",
        ):
            ne.compile(network, without(feature, "lacks"), assume=[feature])


def test_several_unknown_features_are_vouched_for_at_once() -> None:
    network = ne.wire(one(neuron=ne.LIF(1e-2)), "wta_stdp")
    graded = replace(
        network, projections=(replace(network.projections[0], routes={"input": [("drive", "weight*payload")]}),)
    )
    text = without("winner_unit").text
    line = next(line for line in text.splitlines() if line.startswith("payload "))
    with fails(
        ne.UnsupportedError,
        "projection 'p': route multiplies by the payload, no source states a graded payload for atlas; "
        f"route the weight alone, or {ALL}, or vouch for the chip with assume='graded_payload,winner_unit'",
    ):
        ne.compile(graded, parse_chip(text.replace(line, ""), ATLAS.path))


# ---- what is assumed
def test_an_assumption_is_in_the_image_the_run_and_the_report(tmp_path: Path) -> None:
    note = "assumption: loihi1 has a graded payload (graded_payload), which no source states"
    soma = ne.Firmware("if", {"threshold": 128})
    routes = {"input": [("drive", "weight*payload")]}
    image = ne.compile(one(neuron=soma, routes=routes), LOIHI, assume="graded_payload")
    plain = ne.compile(one(neuron=soma), LOIHI)
    assert (image.assumed, image.notes, image.chip.payload_bits) == (("graded_payload",), (note,), 32)
    assert (plain.assumed, plain.notes, plain.chip.payload_bits) == ((), (), None)
    image.save(tmp_path / "a.image")
    again = ne.load_image(tmp_path / "a.image")
    assert (again.digest, again.assumed) == (image.digest, image.assumed)
    assert replace(image, assumed=()).digest != image.digest
    runs = [ne.run(again, np.array([[5, 0], [-2, 4]]), engine=engine) for engine in ("python", "event")]
    assert runs[0].counts["synop"] == 9
    assert len(runs[0].spikes) > 0
    assert all(runs[0].differs(run) is None for run in runs)
    assert f"note: {note}" in str(ne.report(runs[0]))
    assert note in ne.report(runs[0]).as_dict()["notes"]


def test_only_what_is_unknown_is_assumed() -> None:
    assert ne.compile(graded(), ATLAS, assume=["graded_payload", "phases"]).assumed == ()
    assert LOIHI.assuming("phases").assuming(["phases", "mirrors"]).assumed == ("phases", "mirrors")
    with fails(
        ne.UnknownNameError,
        f"no feature named 'graded'; did you mean 'graded_payload'? there are: {', '.join(FEATURES)}",
    ):
        ne.compile(graded(), LOIHI, assume="graded")


def test_the_command_line_assumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, network, image = offline(tmp_path), str(ne.demo_data()[0]), str(tmp_path / "a.image")

    def shell(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["neuroemu", *arguments])
        code: Any = 0
        try:
            main()
        except SystemExit as done:
            code = done.code
        return int(code or 0), *capsys.readouterr()

    check = ("firmware", "check", path, "--chip", "loihi2")
    assert shell(*check) == (
        1, "",
        f"neuroemu: {path}:9:1: commit_synapse of 'offline' changes registers after several presentations, no source states "
        f"a deferred commit for loihi2; {ALL}, or vouch for the chip with --assume deferred_commit\n",
    )  # fmt: skip
    code, out, _ = shell(*check, "--assume", "phases,deferred_commit", "--json")
    assert (code, [hook["hook"] for hook in json.loads(out)]) == (0, ["end_synapse", "commit_synapse"])
    compiling = ("compile", network, "--chip", "loihi1", "--graded-input", "-o", image)
    assert shell(*compiling)[0] == 1
    code, out, _ = shell(*compiling, "--assume", "phases", "--assume", "graded_payload")
    assert code == 0
    assert "note: assumption: loihi1 has a graded payload (graded_payload), which no source states" in out
    assert ne.load_image(image).assumed == ("phases", "graded_payload")


def test_training_assumes() -> None:
    """What is assumed reaches the compiler, by the plan's key and by the option: seen by what cannot be assumed."""
    text = "assume names graded_payload, but odin lacks a graded payload (odin); only what no source states can be assumed, "
    text += "choose another chip"
    data = {"name": "digits", "encoder": "ttfs", "ticks": 5}
    raw = {"data": data, "rule": {"name": "sfdfa"}, "layers": [5, 10], "chip": "odin", "assume": ["graded_payload"]}
    with fails(ne.UnsupportedError, text):
        follow(plan_of(raw, "p"))
    with fails(ne.UnsupportedError, text), click.Context(train_):
        options = ["--rule", "sfdfa", "--data", "digits", "--chip", "odin", "--assume", "graded_payload"]
        train_.main([str(ne.demo_data()[0]), *options], standalone_mode=False)
