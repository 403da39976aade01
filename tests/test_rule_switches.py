"""Switches in rule programs: a folded switch is the separate program of before, in bits, price, memory and counts; aliases of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import firmware
from fails import fails
from test_rules import chain, samples, told

import neuroemu as ne
from neuroemu.language.check import check_program
from neuroemu.language.program import load_program, own_name
from neuroemu.language.switches import fold, specialize

ATLAS = ne.load_chip("atlas")
N = 40


def pairs(nearest: bool) -> tuple[ne.Network, ne.Stimulus]:
    """Pair STDP on dense spikes, so that traces of one and of several spikes differ."""
    rng = np.random.default_rng(5)
    neuron = ne.Firmware("lif", {"decay_v": 512, "threshold": 320})
    network = ne.Network(
        [ne.Population("in", 8, ne.HostInput()), ne.Population("out", 5, neuron)],
        [ne.Projection("in", "out", rng.integers(20, 120, (8, 5)))],
        outputs=["out"],
    )
    rows = (rng.random((16, N, 8)) < 0.4).astype(np.int64)
    return ne.wire(network, "stdp", nearest=nearest, a_minus=5), ne.stimulus({"in": rows}, {"in": 8})


def gradient(**options: int) -> tuple[ne.Network, ne.Stimulus]:
    x, labels = samples(6, 3, 9)
    stimulus = told(ne.stimulus({"in": x[None]}, {"in": 6}), labels, 3).slice(0, N)
    return ne.wire(chain((6, 5, 4, 3)), "spikegrad", f=8, k=4, alpha=32, **options), stimulus


CASES: dict[str, Callable[[], tuple[ne.Network, ne.Stimulus]]] = {
    "all to all": lambda: pairs(False),
    "nearest": lambda: pairs(True),
    "updates": gradient,
    "updates with momentum": lambda: gradient(momentum=3),
    "updates of finer weights": lambda: gradient(fine=3),
}
OLD = {
    ("stdp", 0, 0): firmware("pairs") + ".all_to_all",
    ("stdp", 1, 0): firmware("pairs") + ".nearest",
    ("spikegrad", 0, 0): firmware("updates") + ".forward",
    ("spikegrad", 1, 0): firmware("updates") + ".backward",
    ("spikegrad", 0, 1): firmware("updates") + ".forward_momentum",
    ("spikegrad", 1, 1): firmware("updates") + ".backward_momentum",
}
"""The programs of before by rule and switches (nearest or back, momentum)."""


def as_before(projection: ne.Projection) -> ne.Projection:
    """The projection with the separate program that its switches stand for."""
    if projection.rule is None or not projection.switches:
        return projection
    first = projection.switches.get("nearest", projection.switches.get("back", 0))
    key = (projection.rule.partition(".")[0], first, projection.switches.get("momentum", 0))
    return replace(projection, rule=OLD[key], switches={})


# ---- a folded switch is the program of before
@pytest.mark.parametrize("engine", ["python", "event"])
@pytest.mark.parametrize("name", CASES)
def test_a_folded_switch_gives_what_the_separate_program_gave(name: str, engine: str) -> None:
    network, stimulus = CASES[name]()
    before = replace(network, projections=tuple(as_before(projection) for projection in network.projections))
    assert [p.rule for p in before.projections] != [p.rule for p in network.projections]
    runs = []
    for each in (network, before):
        image = ne.compile(each, ATLAS, align=False)
        run = ne.run(image, stimulus, engine=engine, plastic=True, seed=11, commit_every=2)
        assert any((run.weights[p.label] != np.asarray(p.weight).ravel()).any() for p in each.projections if p.rule)
        runs.append((run.spikes, run.memory.digest, str(ne.report(run)), image.usage, sorted(run.memory.registers)))
    assert runs[0] == runs[1]


def test_the_switch_matters() -> None:
    digests = set()
    for nearest in (False, True):
        network, stimulus = pairs(nearest)
        image = ne.compile(network, ATLAS, align=False)
        digests.add(ne.run(image, stimulus, engine="python", plastic=True, seed=11).memory.digest)
    assert len(digests) == 2


@pytest.mark.parametrize(("rule", "first", "momentum"), OLD)
def test_a_folded_switch_is_proved_and_counted_as_the_separate_program(rule: str, first: int, momentum: int) -> None:
    switches = {"nearest": first} if rule == "stdp" else {"back": first, "momentum": momentum}
    now = check_program(specialize(load_program(f"{rule}.synapse"), switches), ATLAS)
    before = check_program(load_program(OLD[rule, first, momentum]), ATLAS)
    assert list(now.hooks) == list(before.hooks)
    assert sum(sum(proof.operations.values()) for proof in now.hooks.values()) > 3
    for hook, proof in now.hooks.items():
        assert proof.operations == before.hooks[hook].operations, hook
    assert sorted(now.widths.values()) == sorted(before.widths.values())
    assert {hook: len(names) for hook, names in now.program.gate.items()} == {
        hook: len(names) for hook, names in before.program.gate.items()
    }


def test_what_an_untaken_branch_used_is_gone() -> None:
    whole = load_program("spikegrad.synapse")
    assert {"trace", "decay", "s", "e", "back", "momentum"} <= set(whole.arguments)
    plain = specialize(whole, {})
    assert sorted(plain.arguments) == ["e", "k", "moved", "sent", "w"]
    assert (sorted(plain.registers), plain.gate["end_synapse"]) == (["moved", "sent", "w"], ("sent", "e"))
    fading = specialize(whole, {"momentum": 1, "back": 1})
    assert sorted(fading.arguments) == ["decay", "k", "moved", "s", "sent", "trace", "w"]
    assert fading.gate == {"commit_synapse": ("moved",)}
    half = fold(whole, {"momentum": 0})
    assert half.of_kind("switch") == ("back",)
    assert half.gate["end_synapse"] == ("sent", "s", "e")


def test_a_hook_that_a_switch_leaves_nothing_to_do_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(
        "def tick_pre(x: Pre, fades: Switch):\n    x = x - 1 if fades else x\n    return x\n"
        "def arrive(x: Pre):\n    x += 3\n    return x\n"
    )
    whole = load_program(path)
    assert list(specialize(whole, {"fades": 1}).hooks) == ["tick_pre", "arrive"]
    assert list(specialize(whole, {}).hooks) == ["arrive"]


def test_what_no_switch_rules_out_stays_as_it_is_written(tmp_path: Path) -> None:
    """A register that a hook only declares, for its gate, and one that it returns as it was."""
    path = tmp_path / "m.py"
    path.write_text(
        "GATE = {'fire_synapse': ('v', 'x')}\n"
        "def arrive(x: Pre, y: Pre, twice: Switch):\n    x = x + 2 if twice else x + 1\n    return x, y\n"
        "def fire_synapse(e: State(8), v: Post, x: Pre, z: Pre, twice: Switch):\n    e = e + z if twice else e + 1\n    return e\n"
    )
    folded = specialize(load_program(path), {"twice": 0})
    assert {name: [a.name for a in hook.arguments] for name, hook in folded.hooks.items()} == {
        "arrive": ["x", "y"], "fire_synapse": ["e", "v", "x"],
    }  # fmt: skip
    assert (folded.gate, folded.hooks["arrive"].returns) == ({"fire_synapse": ("v", "x")}, ("x", "y"))


def test_a_sum_may_be_added_to_by_either_side_of_a_switch_only(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    text = "def end_synapse(s: Sum, e: State(8), k: Switch):\n    s = {}\n    return s\n"
    path.write_text(text.format("s + e if k else s - 1"))
    assert check_program(load_program(path), ATLAS).hooks
    refused = "sum 's' is not written once as s = s + ..., or is read elsewhere; the order of writers may not matter"
    for sides in ("s + e if e else s - 1", "s + e if k else e", "s + s if k else s - 1"):
        path.write_text(text.format(sides))
        with fails(ne.FirmwareError, f"{path}:1:1: {refused}"):
            check_program(load_program(path), ATLAS)


# ---- in the image
def test_an_image_holds_the_switches_of_its_rules(tmp_path: Path) -> None:
    network, stimulus = pairs(True)
    image = ne.compile(network, ATLAS, align=False)
    assert (image.projections[0].program, image.projections[0].switches) == ("stdp.synapse", {"nearest": 1})
    image.save(tmp_path / "a.image")
    read = ne.load_image(tmp_path / "a.image")
    assert read.digest == image.digest
    runs = [ne.run(each, stimulus, engine="python", plastic=True, seed=11) for each in (image, read)]
    assert runs[0].differs(runs[1]) is None
    assert (runs[1].weights["in->out"] != np.asarray(network.projections[0].weight).ravel()).any()
    other = replace(image, projections=(replace(image.projections[0], switches={"nearest": 0}),))
    assert other.digest != image.digest


@pytest.mark.parametrize("one", [True, np.True_, np.int8(1), 1.0], ids=repr)
def test_what_is_one_is_a_switch_that_is_one(one: object, tmp_path: Path) -> None:
    """True and NumPy's numbers compile to the image of 1, which its file takes and gives back."""
    network, _ = pairs(True)
    projection, path = network.projections[0], tmp_path / "a.image"
    assert projection.switches == {"nearest": 1}

    def image(value: object) -> ne.Image:
        switched = replace(projection, switches={"nearest": value})
        return ne.compile(replace(network, projections=(switched,)), ATLAS, align=False)

    image(one).save(path)
    assert ne.load_image(path).digest == image(1).digest != image(0).digest
    soma = ne.Firmware("lif", switches={"late": one})
    assert [(name, type(value), value) for name, value in soma.switches.items()] == [("late", int, 1)]
    program = load_program("stdp.synapse")
    assert fold(program, {"nearest": one}) == fold(program, {"nearest": 1}) != program  # type: ignore[dict-item]


def test_a_projection_without_switches_is_stored_as_it_was() -> None:
    """Images of networks without switches keep their digests: the key is there only if there are any."""
    from neuroemu.image.image import _pack

    network, _ = pairs(True)
    header, _ = _pack(ne.compile(network, ATLAS, align=False))
    assert header["projections"][0]["switches"] == {"nearest": 1}
    before = replace(network, projections=tuple(as_before(projection) for projection in network.projections))
    header, _ = _pack(ne.compile(before, ATLAS, align=False))
    assert "switches" not in header["projections"][0]


# ---- aliases
def test_an_alias_is_a_program_with_switches() -> None:
    network, _ = pairs(True)
    named = replace(network.projections[0], rule="stdp.nearest", switches={})
    aliased = replace(network, projections=(named,))
    assert ne.compile(aliased, ATLAS, align=False).digest == ne.compile(network, ATLAS, align=False).digest
    assert own_name("stdp.nearest", {}) == ("stdp.synapse", {"nearest": 1})
    assert own_name("lif", {"late": 1}) == ("lif", {"late": 1})
    assert load_program("stdp.nearest").hooks["arrive"].returns == ("x",)
    assert load_program("stdp.nearest").of_kind("switch") == ()


def test_an_alias_of_a_neuron_in_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "ALIASES = {'twice': ('neuron', {'double': 1})}\nclass neuron:\n"
        "    def soma(v: State, drive: Port, double: Switch):\n        v = v + (2 * drive if double else drive)\n        return v\n"
    )
    stimulus = ne.stimulus({"in": np.ones((3, 1), np.int64)}, {"in": 1})
    ends = {}
    for name in ("twice", "neuron"):
        network = ne.Network(
            [ne.Population("in", 1, ne.HostInput()), ne.Population("out", 1, ne.Firmware(f"{path}.{name}"))],
            [ne.Projection("in", "out", [[5]])], outputs=["out"], probes=[("out", "v")],
        )  # fmt: skip
        image = ne.compile(network, ATLAS)
        assert image.population("out").program == f"{path}.neuron"
        ends[name] = int(ne.run(image, stimulus, engine="python").probes["out", "v"][..., 0].max())
    assert ends == {"twice": 30, "neuron": 15}


def test_wire_takes_an_alias_that_stands_for_options() -> None:
    network = replace(pairs(False)[0], projections=[ne.Projection("in", "out", np.full((8, 5), 50))])
    wired = ne.wire(network, "stdp.nearest", a_minus=5)
    assert wired.projections[0].switches == {"nearest": 1}
    assert ne.wire(network, "stdp.all_to_all").projections[0].switches == {"nearest": 0}
    text = "rule 'stdp.nearest' is 'stdp' with nearest=True, the options say nearest=False; leave one away"
    with fails(ne.NetworkError, text):
        ne.wire(network, "stdp.nearest", nearest=False)
    text = "rule 'stdp.synapse' is one program of a rule file, and wire puts all of them into the network; name rule 'stdp'"
    with fails(ne.NetworkError, text):
        ne.wire(network, "stdp.synapse")
    text = "rule 'spikegrad.backward' is one program of a rule file, and wire puts all of them into the network; name rule 'spikegrad'"
    with fails(ne.NetworkError, text):
        ne.wire(network, "spikegrad.backward")
    with fails(
        ne.UnknownNameError,
        "no rule named 'stdp.near'; did you mean 'stdp.nearest'? there are: stdp, stdp.all_to_all, stdp.nearest",
    ):
        ne.wire(network, "stdp.near")


# ---- checked and priced on their own
def test_a_check_folds_a_switch_in_the_programs_that_have_it(tmp_path: Path) -> None:
    def seen(name: str, switches: dict[str, int]) -> list[tuple[str, str, int]]:
        return [(f.program_text, f.hook, f.energy_fj) for f in ne.check_file(name, ATLAS, switches)]

    whole = seen("spikegrad", {"momentum": 1, "passes": 1})
    assert {"spikegrad.hidden passes=1", "spikegrad.norm", "spikegrad.synapse momentum=1"} <= {row[0] for row in whole}
    assert seen("spikegrad.forward_momentum", {}) == [row for row in whole if row[0] == "spikegrad.synapse momentum=1"]
    prices = {name: {f.hook: f.energy_fj for f in ne.check_file(name, ATLAS, {})} for name in OLD.values()}
    for (rule, first, momentum), old in OLD.items():
        switches = {"nearest": first} if rule == "stdp" else {"back": first, "momentum": momentum}
        found = ne.check_file(f"{rule}.synapse", ATLAS, switches)
        assert {f.hook: f.energy_fj for f in found} == prices[old]
        assert all(f.switches == switches for f in found)
    assert len(prices) == 6
    with fails(
        ne.FirmwareError, "spikegrad: no program here has a switch 'late'; they have: passes, unary, back, momentum"
    ):
        ne.check_file("spikegrad", ATLAS, {"late": 1})
    known = "stdp.synapse, stdp.all_to_all, stdp.nearest"
    with fails(ne.UnknownNameError, f"no program named 'stdp.near'; did you mean 'stdp.nearest'? there are: {known}"):
        ne.check_file("stdp.near", ATLAS, {})
    path = tmp_path / "wide.py"
    path.write_text("class a:\n    def soma(v: State(40)):\n        v = v + 1\n        return v\n")
    with fails(ne.FirmwareError, f"{path}:2:14: 'v' asks for 40 bits, atlas has 32; ask for 32 or fewer"):
        ne.check_file(f"{path}.a", ATLAS, {})


# ---- what is refused
def test_switches_that_a_rule_does_not_take_are_refused() -> None:
    network, _ = pairs(True)
    path = load_program("stdp.synapse").path
    projection = network.projections[0]

    def refused(error: type[Exception], text: str, **changes: object) -> None:
        with fails(error, text):
            ne.compile(replace(network, projections=(replace(projection, **changes),)), ATLAS, align=False)

    text = f"{path}:1:1: program 'stdp.synapse' has no switch 'late'; it has: nearest"
    refused(ne.FirmwareError, text, switches={"late": 1})
    refused(
        ne.FirmwareError,
        f"{path}:1:1: switch 'nearest' of 'stdp.synapse' is 2; a switch is 0 or 1",
        switches={"nearest": 2},
    )
    refused(
        ne.FirmwareError,
        f"{path}:1:1: switch 'nearest' of 'stdp.synapse' is '1'; a switch is 0 or 1",
        switches={"nearest": "1"},
    )
    text = (
        f"{path}:1:1: 'stdp.nearest' is 'stdp.synapse' with nearest=1, switches say nearest=0; "
        "leave the switch, or name 'stdp.synapse'"
    )
    refused(ne.FirmwareError, text, rule="stdp.nearest", switches={"nearest": 0})
    text = "projection 'in->out' has switches but no rule that takes them; name the rule"
    refused(ne.NetworkError, text, rule=None, params={})
    known = "stdp.synapse, stdp.all_to_all, stdp.nearest"
    with fails(ne.UnknownNameError, f"no program named 'stdp.near'; did you mean 'stdp.nearest'? there are: {known}"):
        ne.compile(replace(network, projections=(replace(projection, rule="stdp.near"),)), ATLAS)
