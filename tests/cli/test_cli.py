"""The command line: every command's result and exit code, every error as one sentence, and nothing written where it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shell import NETWORK, Shell

import neuroemu as ne
from neuroemu.chip.datasheet import json_schema

ALL = sorted(path.stem for path in (Path(__file__).parents[2] / "cores").glob("*.toml"))


INPUT = ("--input", "x.npz", "--labels", "y.npy", "--engine", "python")


def test_compile_run_report_diff(shell: Shell) -> None:
    image = shell.json("compile", NETWORK, "--chip", "loihi1", "-o", "a.image")
    assert image["digest"] == ne.load_image("a.image").digest
    assert (image["chip"], image["cores"], image["lag"]) == ("loihi1", 1, 2)
    run = shell.json("run", "a.image", *INPUT, "-o", "a")
    assert run["packets"] == len(ne.load_run("a").spikes) > 500
    assert run["accuracy"] >= 5 / 6
    costs = shell.json("report", "a")
    assert costs == ne.report(ne.load_run("a"), accuracy=run["accuracy"]).as_dict()
    shell.json("run", "a.image", *INPUT[:-1], "event", "-o", "b")
    assert shell.json("diff", "a", "b") == {"equal": True, "difference": None, "packets": run["packets"]}


def test_runs_that_differ_exit_1(shell: Shell) -> None:
    for bits in ("8", "2"):
        assert shell("deploy", NETWORK, "--chip", "loihi1", *INPUT, "--weight-bits", bits, "-o", bits) == 0
        assert Path(bits, "run.json").is_file()
    assert shell("diff", "8", "2") == 1
    assert shell.out.strip() == ne.load_run("8").differs(ne.load_run("2"))


def test_run_is_replaced_only_if_told(shell: Shell) -> None:
    deploy = ("deploy", NETWORK, "--chip", "loihi1", *INPUT, "-o", "a")
    assert shell(*deploy) == 0
    before = Path("a/run.json").read_bytes()
    assert shell(*deploy) == 2
    assert shell.err == "neuroemu: a: already exists; choose another name, or replace it with --force\n"
    assert Path("a/run.json").read_bytes() == before
    assert shell(*deploy, "--force") == 0


def test_lists(shell: Shell) -> None:
    assert [chip["name"] for chip in shell.json("chips")] == ALL
    assert shell.json("chips", "loihi1") == json.loads(json.dumps(ne.chip_facts(ne.load_chip("loihi1"))))
    assert shell.json("chips", "--schema") == json_schema()
    listed = [program["name"] for program in shell.json("firmware", "list")]
    assert {"cuba_li", "cuba_lif", "if", "li", "lif"} <= set(listed)
    assert {"stdp.all_to_all", "stdp.nearest", "wta_stdp.neuron", "wta_stdp.synapse"} <= set(listed)
    assert {"cuba_li", "cuba_lif", "if", "li", "lif", "spikegrad.hidden", "spikegrad.output"} <= set(listed)
    assert listed == sorted(listed)
    assert [hook["hook"] for hook in shell.json("firmware", "check", "lif", "--chip", "loihi1")] == ["soma"]
    for command in (
        ("chips",),
        ("chips", "loihi1"),
        ("firmware", "list"),
        ("firmware", "check", "lif", "--chip", "loihi1"),
    ):
        assert shell(*command) == 0
        assert shell.out


ERRORS = [
    (("chips", "loihi_1"), 2, f"no chip named 'loihi_1'; did you mean 'loihi1'? there are: {', '.join(ALL)}"),
    (
        ("compile", "no.nir", "--chip", "loihi1", "-o", "a.image"),
        2,
        "no.nir: no such file; give the path of a NIR file",
    ),
    (
        ("compile", NETWORK, "--chip", "loihi1", "-o", "no/a.image"),
        2,
        "no/a.image: its folder does not exist; make it, or choose another path",
    ),
    (
        ("compile", NETWORK, "--chip", "loihi1", "-o", "a.image", "--weight-bits", "10"),
        1,
        "cores/loihi1.toml: weights of 10 bits were asked for, loihi1 has 2 to 9 (davies2018); choose --weight-bits in that range",
    ),
    (("run", "x.npz", *INPUT, "-o", "a"), 2, "x.npz: is not an image; make one with `neuroemu compile`"),
    (
        ("report", "x.npz"),
        2,
        "x.npz: is not the folder of a run (Not a directory); make one with `neuroemu run`",
    ),
    (
        ("diff", "a", "b"),
        2,
        "a: is not the folder of a run (No such file or directory); make one with `neuroemu run`",
    ),
    (
        ("deploy", NETWORK, "--chip", "loihi1", "--input", "x.npz", "--labels", "x.npz", "-o", "a"),
        2,
        "x.npz: holds an array of shape (20, 6, 64) and dtype uint8; labels are one integer a presentation",
    ),
    (
        ("deploy", NETWORK, "--chip", "loihi1", "--input", "y.npy", "-o", "a"),
        2,
        "input 'input' has shape (6,), its population has 64 neurons; give (rows, neurons) or (rows, presentations, neurons)",
    ),
]


@pytest.mark.parametrize(("command", "code", "text"), ERRORS, ids=[text[:50] for _, _, text in ERRORS])
def test_error_is_one_sentence(shell: Shell, command: tuple[str, ...], code: int, text: str) -> None:
    assert shell(*command) == code
    assert (shell.out, shell.err) == ("", f"neuroemu: {text}\n")
    assert shell(*command, "--json") == code
    assert (json.loads(shell.out), shell.err) == ({"error": text}, f"neuroemu: {text}\n")
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["x.npz", "y.npy"]


USAGE = [
    (("nope",), "No such command 'nope'."),
    (("compile",), "Missing argument 'NETWORK'."),
    (
        ("run", "a.image", *INPUT, "-o", "a", "--workers", "0"),
        "Invalid value for '--workers': 0 is not in the range x>=1.",
    ),
    (("train", "n.nir", "--epochs", "0"), "Invalid value for '--epochs': 0 is not in the range x>=1."),
    (("run", "a.image", *INPUT, "-o", "a", "--seed", "x"), "Invalid value for '--seed': 'x' is not a valid integer."),
    (
        ("firmware", "check", "lif", "--chip", "loihi1", "--set", "subtract=2"),
        "Invalid value for --set: 'subtract=2' is not SWITCH=0 or SWITCH=1",
    ),
    (
        ("firmware", "check", "lif", "--chip", "loihi1", "--set", "subtract"),
        "Invalid value for --set: 'subtract' is not SWITCH=0 or SWITCH=1",
    ),
]


@pytest.mark.parametrize(("command", "text"), USAGE, ids=[text[:50] for _, text in USAGE])
def test_bad_use_exits_2(shell: Shell, command: tuple[str, ...], text: str) -> None:
    assert shell(*command) == 2
    assert shell.err.splitlines()[-1] == f"Error: {text}"


def test_what_can_be_known_before_the_run_is_said_before_it(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may take an hour: its folder and its labels are looked at first."""
    assert shell("deploy", NETWORK, "--chip", "loihi1", *INPUT, "-o", "a", "--record", "a.aer") == 0
    assert shell("compile", NETWORK, "--chip", "loihi1", "-o", "a.image") == 0

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("ran")

    monkeypatch.setattr(ne, "run", never)
    monkeypatch.setattr(ne, "replay", never)
    np.save("y7.npy", np.arange(7))
    taken = "a: already exists; choose another name, or replace it with --force"
    labels = "7 labels for 6 presentations; give one a presentation, the input's second axis"
    for command, text in (
        (("run", "a.image", *INPUT, "-o", "a"), taken),
        (("deploy", NETWORK, "--chip", "loihi1", *INPUT, "-o", "a"), taken),
        (("replay", "a.aer", "a.image", "-o", "a"), taken),
        (("run", "a.image", "--input", "x.npz", "--labels", "y7.npy", "-o", "b"), labels),
        (("deploy", NETWORK, "--chip", "loihi1", "--input", "x.npz", "--labels", "y7.npy"), labels),
    ):
        assert shell(*command) == 2
        assert shell.err == f"neuroemu: {text}\n"
    monkeypatch.setattr(ne, "compile", never)
    assert shell("deploy", NETWORK, "--chip", "loihi1", "--input", "no.npy") == 2
    assert shell.err == "neuroemu: no.npy: no such file; give the path of a .npy or .npz file\n"


def test_a_switch_that_the_silicon_lacks_does_not_fit(shell: Shell) -> None:
    assert shell("firmware", "check", "lif", "--chip", "loihi1", "--set", "subtract=1") == 1
    text = (
        "lif: loihi1 has 'lif' with subtract=0 only (davies2018); leave the switch, or choose a chip that has it, "
        "such as generic45"
    )
    assert shell.err == f"neuroemu: {text}\n"
    assert shell("firmware", "check", "lif", "--chip", "generic45", "--set", "subtract=1") == 0
    assert shell("firmware", "check", ".", "--chip", "generic45") == 2
    assert shell.err.startswith("neuroemu: no program named '.'; there are: ")


def test_a_program_the_chip_lacks_is_said_before_its_weights(shell: Shell) -> None:
    """Weights of another sign would not help a network of neurons that the chip has not."""
    assert shell("compile", NETWORK, "--chip", "odin", "-o", "a.image") == 1
    text = "program 'lif' is not in odin, which runs odin (odin); use one of these, or a chip such as generic45"
    assert shell.err.endswith(f"{text}\n")


def test_the_demo_takes_the_bits_a_chip_has(shell: Shell) -> None:
    assert shell("demo", "--chip", "odin") == 1
    text = "program 'lif' is not in odin, which runs odin (odin); use one of these, or a chip such as generic45"
    assert shell.err.endswith(f"{text}\n")


def test_messages_name_options_as_a_shell_takes_them(shell: Shell) -> None:
    deploy = ("compile", NETWORK, "--chip", "loihi1", "-o", "a.image")
    assert shell(*deploy, "--spike-if", ">=") == 1
    text = (
        "population '1': spike at v >= threshold is not in loihi1 (davies2018); use --spike-if '>', "
        "or a chip that has it, such as generic45"
    )
    assert shell.err == f"neuroemu: {text}\n"
    assert shell(*deploy, "--reset-timing", "next", "--json") == 1
    assert "; use --reset-timing now, or a chip" in json.loads(shell.out)["error"]
    assert shell(*deploy, "--dt", "1e-3") == 0
    assert "or use --gain unit if the exporting framework ignores r" in shell.err
