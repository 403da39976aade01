"""What of a rule file is executed, and when: nothing before the whole file is accepted, then its host functions, which is said."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fails import fails

import neuroemu as ne
from neuroemu.base import shelf
from neuroemu.language import reader
from neuroemu.network.host_code import host_function

TEACH = (Path(__file__).parent / "firmware" / "teach.py").read_text()


def network() -> ne.Network:
    return ne.Network(
        [ne.Population("in", 2, ne.HostInput()), ne.Population("out", 2, ne.Firmware("li", {"decay_v": 0}))],
        [ne.Projection("in", "out", np.zeros((2, 2)), "p")],
        outputs=["out"],
    )


def leaving(tmp_path: Path, text: str) -> tuple[Path, Path]:
    """A rule file in which HARM writes a file, and that file."""
    trace, path = tmp_path / "trace", tmp_path / "colleague.py"
    path.write_text(text.replace("HARM", f"__import__('pathlib').Path({str(trace)!r}).touch()"))
    return path, trace


# ---- nothing runs before the whole file is accepted
ONLY = "statement outside a hook; only functions, classes, integer constants, GATE and ONLINE may stand here"
LITERAL = "write a literal or a constant of the file"
REFUSED = {
    "a statement behind everything": (f"{TEACH}\nHARM\n", f"{TEACH.count(chr(10)) + 2}:1: {ONLY}"),
    "an import of anything": (f"import os\n{TEACH}", None),
    "a hook outside the language": (TEACH.replace("v = v + drive", "v = v / drive"), None),
    "a loop in a helper": (TEACH + "\ndef f(x):\n    while x:\n        x = x - 1\n    return x\n", None),
    "a class that computes": (TEACH + "\nclass late:\n    HARM\n", None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wire_does_not_run_if_anything_in_the_file_is_refused(name: str, tmp_path: Path) -> None:
    text, message = REFUSED[name]
    path, trace = leaving(tmp_path, text.replace("    del seed\n", "    HARM\n"))
    with pytest.raises(ne.FirmwareError) as caught:
        ne.wire(network(), path)
    assert str(caught.value).startswith(f"{path}:")
    assert message is None or str(caught.value) == f"{path}:{message}"
    assert not trace.exists()


def test_the_same_file_without_the_fault_runs(tmp_path: Path) -> None:
    """What the refusals above are held against: the trace is left when wire is called, by nothing else."""
    path, trace = leaving(tmp_path, TEACH.replace("    del seed\n", "    HARM\n"))
    ne.load_program(f"{path}.forward")
    assert ne.check_file(path, ne.load_chip("atlas"), {})
    assert host_function(path, "as_float") is None
    assert not trace.exists()
    assert ne.wire(network(), path).projections[0].rule == f"{path}.forward"
    assert trace.exists()


LOADED = {
    "a decorator": ("@HARM\ndef wire(", "has a decorator"),
    "a default": ("def wire(x=HARM, *, ", f"would be computed when the file is loaded; {LITERAL}"),
    "a set that is none": (
        "from math import pi as set\ndef wire(x=set(), *, ",
        f"default `set()` of 'wire' would be computed when the file is loaded; {LITERAL}",
    ),
}


@pytest.mark.parametrize("name", LOADED)
def test_nothing_runs_when_a_host_function_is_defined(name: str, tmp_path: Path) -> None:
    start, part = LOADED[name]
    path, trace = leaving(tmp_path, f"{start}network=None, projections=(), output=None):\n    return 3\n")
    with pytest.raises(ne.FirmwareError) as caught:
        ne.wire(network(), path)
    assert part in str(caught.value)
    assert not trace.exists()


def test_annotations_are_not_computed(tmp_path: Path) -> None:
    text = "def wire(network: HARM, projections: HARM, output, *more: HARM, k: HARM = 3, **rest: HARM) -> HARM:\n    return network\n"
    path, trace = leaving(tmp_path, text)
    assert ne.wire(network(), path, k=4).outputs == ("out",)
    assert not trace.exists()


def test_a_class_of_hooks_is_read_and_not_executed(tmp_path: Path) -> None:
    """Python would call ``State(...)``: here no class statement runs, so the name is not even there."""
    path = tmp_path / "r.py"
    text = "def wire(network, projections, output):\n    return hidden\nclass hidden:\n    def soma(v: State):\n        return v\n"
    path.write_text(text)
    message = f"{path}: wire failed (NameError: name 'hidden' is not defined); check the options, or correct the file"
    with fails(ne.FirmwareError, message):
        ne.wire(network(), path)


def test_host_code_sees_imports_constants_helpers_its_name_and_its_place(tmp_path: Path) -> None:
    path = tmp_path / "r.py"
    path.write_text(
        "from dataclasses import replace\nimport numpy as np\nONE = 2 * 128\ndef twice(x):\n    return 2 * x\n"
        "def wire_rule(p, by):\n    return replace(p, weight=np.full((2, 2), by), rule=__name__)\n"
        "def wire(network, projections, output):\n"
        "    return replace(network, projections=[wire_rule(network.projections[0], twice(ONE))], notes=[__file__])\n"
    )
    wired = ne.wire(network(), path)
    assert np.asarray(wired.projections[0].weight).tolist() == [[512, 512], [512, 512]]
    assert (wired.projections[0].rule, wired.notes) == (str(path), (str(path),))


def test_a_copy_of_a_shipped_rule_runs_its_own_programs(tmp_path: Path) -> None:
    for name in shelf.rules():
        path = tmp_path / f"{name}_copy.py"
        path.write_text(shelf.find_program(name, rule=True)[0].read_text())
        deep = name.startswith("s") and name != "stdp"
        layers = ["in", "h", "out"] if deep else ["in", "out"]
        neuron = ne.Firmware("odin_event", {"threshold": 9}) if name == "odin_sdsp" else ne.LIF(1e-2)
        populations = [ne.Population(n, 3, ne.HostInput() if n == "in" else neuron) for n in layers]
        links = [ne.Projection(a, b, np.zeros((3, 3))) for a, b in pairwise(layers)]
        wired = ne.wire(ne.Network(populations, links, outputs=["out"]), path)
        used = {p.rule for p in wired.projections if p.rule}
        used |= {p.neuron.program for p in wired.populations if isinstance(p.neuron, ne.Firmware)}
        assert any(program.startswith(f"{path}.") for program in used), (name, used)
        if name != "spikegrad_unary":  # which takes all but its neurons from spikegrad
            assert all(program.startswith(f"{path}.") for program in used), (name, used)


# ---- it is said, once
def code_warnings(caught: list[warnings.WarningMessage]) -> list[str]:
    return [str(warning.message) for warning in caught if warning.category is ne.RuleCodeWarning]


def test_a_file_of_ones_own_warns_once_a_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"{TEACH}\n# {tmp_path}\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ne.load_program(f"{path}.forward")
        assert code_warnings(caught) == []  # reading is not running
        ne.wire(network(), path)
        ne.wire(network(), path)
        said = f"rule file {path} is code and is run; read it first: SECURITY.md"
        assert code_warnings(caught) == [said]
        assert Path(caught[-1].filename).name == Path(__file__).name  # it points at the caller
        path.write_text(path.read_text() + "# changed\n")
        ne.wire(network(), path)
        assert code_warnings(caught) == [said, said]


def test_as_float_warns_as_well(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"def as_float(program, params, dt):\n    return {str(tmp_path)!r}\n")
    with pytest.warns(ne.RuleCodeWarning) as caught:
        assert host_function(path, "as_float") is not None
    assert code_warnings(caught.list) == [f"rule file {path} is code and is run; read it first: SECURITY.md"]


def test_a_warning_that_is_an_error_stops_the_code(tmp_path: Path) -> None:
    path, trace = leaving(tmp_path, TEACH.replace("    del seed\n", f"    HARM  # {tmp_path}\n"))
    for _ in range(2):  # who was stopped is stopped again
        with warnings.catch_warnings():
            warnings.simplefilter("error", ne.RuleCodeWarning)
            with pytest.raises(ne.RuleCodeWarning):
                ne.wire(network(), path)
        assert not trace.exists()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore", ne.RuleCodeWarning)
        ne.wire(network(), path)
    assert caught == []
    assert trace.exists()


def test_shipped_rules_never_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in shelf.rules():
            path, _ = shelf.find_program(name, rule=True)
            assert shelf.shipped(path)
            assert host_function(path, "wire") is not None
    assert not shelf.shipped(Path(__file__).parent / "firmware" / "rules" / "sfdfa.py")


def test_a_path_that_only_looks_shipped_is_not(tmp_path: Path) -> None:
    place = tmp_path / "firmware" / "rules"
    place.mkdir(parents=True)
    (place / "sfdfa.py").write_text(f"{shelf.find_program('sfdfa', rule=True)[0].read_text()}# {tmp_path}\n")
    with pytest.warns(ne.RuleCodeWarning):
        host_function(place / "sfdfa.py", "wire")


def test_the_command_line_says_it_in_one_line_before_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "def wire(network, projections, output):\n    import sys\n    print('wiring', file=sys.stderr)\n    return network\n"
    )
    plan = tmp_path / "p.toml"
    plan.write_text(f'layers = [10]\n[data]\nname = "digits"\nticks = 4\n[rule]\nname = "{path}"\n')
    command = [sys.executable, "-c", "from neuroemu.cli.main import main; main()", "train", str(plan)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2  # nothing in it learns
    assert [line for line in done.stderr.splitlines() if "..." not in line] == [
        f"neuroemu: warning: rule file {path} is code and is run; read it first: SECURITY.md",
        "wiring",
        "neuroemu: nothing in the image learns; wire a rule into the network, or freeze less of it",
    ]


# ---- read once
def test_a_rule_file_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times for the compilation and eight for the training it was, of a network of two layers."""
    parsed: list[str] = []
    whole = reader.parse

    def counted(source: str, path: str) -> object:
        parsed.append(Path(path).name)
        return whole(source, path)

    monkeypatch.setattr(reader, "parse", counted)
    reader.read_file.cache_clear()
    populations = [ne.Population(n, 4, ne.HostInput() if n == "in" else ne.LIF(1e-2)) for n in ("in", "h", "out")]
    links = [ne.Projection("in", "h", np.zeros((4, 4))), ne.Projection("h", "out", np.zeros((4, 4)))]
    wired = ne.wire(ne.Network(populations, links, outputs=["out"]), "sfdfa", ticks=8, k=3)
    image = ne.compile(wired, ne.load_chip("atlas"))
    done = ne.train(
        image, (np.arange(16).reshape(4, 4), np.arange(4)), engine="python", test=(np.eye(4, dtype=int), np.arange(4))
    )
    assert done.history[0].spikes > 0
    ne.load_program("sfdfa.hidden")
    assert parsed.count("sfdfa.py") == 2  # by its path, and as the image holds it
    assert len(parsed) == len(set(parsed)) + 1


def test_threads_may_read_one_file_at_once(tmp_path: Path) -> None:
    text = shelf.find_program("spikegrad", rule=True)[0].read_text()
    reader.read_file.cache_clear()
    begin, found = threading.Barrier(8), []

    def read() -> None:
        begin.wait()
        found.append([sorted(reader.read_programs(text, str(tmp_path), "spikegrad")) for _ in range(20)])

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(names == found[0][0] and len(names) == 5 for each in found for names in each)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "n.py"
    for start in (1, 2):  # of one length, within one second: time and size say nothing
        path.write_text(f"def soma(v: State(8, init={start})):\n    v = v + 1\n    return v\n")
        assert ne.load_program(path).registers["v"].init == start
