"""Whatever the surroundings do to the command line, it is one sentence and an exit code; and what it shows is shown whole."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from children import child
from insides import online
from rich.console import Console
from shell import NETWORK, Shell

import neuroemu as ne
from neuroemu.cli.main import COMMANDS, cli
from neuroemu.cli.screen import FLAGS, as_options
from neuroemu.cli.show import fit_width, table

NEUROEMU = [sys.executable, "-c", "from neuroemu.cli.main import main; main()"]


class Full(io.RawIOBase):
    """A file on a full disk."""

    def writable(self) -> bool:
        return True

    def write(self, _: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# ---- surroundings
@pytest.mark.parametrize("arguments", [("chips",), ("chips", "--json")])
def test_output_that_cannot_be_written(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(Full(), write_through=True))
    assert shell(*arguments) == 2
    text = "standard output: cannot be written (No space left on device); free some space, or send it elsewhere"
    assert shell.err == f"neuroemu: {text}\n"


def test_help_that_cannot_be_written(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(Full(), write_through=True))
    assert shell("--help") == 2
    text = "the system refused (No space left on device); check paths, permissions and the space left"
    assert shell.err == f"neuroemu: {text}\n"


@pytest.mark.parametrize("arguments", [("chips",), ("--help",)])
def test_a_reader_that_has_read_enough_is_no_answer(arguments: tuple[str, ...]) -> None:
    """Exit code 1 would say that the answer is no."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run([*NEUROEMU, *arguments], stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (2, b"")


@pytest.mark.parametrize("arguments", [("nope",), ("report", "no"), ("chips", "no", "--json")])
def test_an_error_that_nobody_reads_is_no_answer_either(arguments: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run([*NEUROEMU, *arguments], stdout=closed, stderr=closed, check=False)
    assert done.returncode == 2


RAW = [
    (OSError(errno.EMFILE, "Too many open files", "a.image"), "a.image: the system refused (Too many open files); "
     "check paths, permissions and the space left"),
    (OSError("odd"), "the system refused (odd); check paths, permissions and the space left"),
    (MemoryError("Unable to allocate 37 GiB"), "there is not enough memory (Unable to allocate 37 GiB); give fewer samples or ticks "
     "at a time, or use a larger machine"),
    (MemoryError(), "there is not enough memory; give fewer samples or ticks at a time, or use a larger machine"),
    (OverflowError("int too big"), "a number is too large to compute with (int too big); give a smaller one"),
    (RecursionError("depth"), "something is nested too deeply (depth); make the file or the expression flatter"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "text"), RAW, ids=[repr(error)[:30] for error, _ in RAW])
def test_what_the_system_refuses_is_one_sentence(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(ne, "load_run", refuse)
    assert shell("report", "a") == 2
    assert (shell.out, shell.err) == ("", f"neuroemu: {text}\n")
    assert shell("report", "a", "--json") == 2
    assert json.loads(shell.out) == {"error": text}


def test_a_fault_of_ours_keeps_its_traceback(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AssertionError("ours")

    monkeypatch.setattr(ne, "load_run", broken)
    with pytest.raises(AssertionError, match="ours"):
        shell("report", "a")


def test_a_name_in_no_encoding_is_shown_with_escapes(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff.image"
    done = subprocess.run([*NEUROEMU, "run", name, "--input", "x", "-o", "y"], capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1


def test_a_long_path_is_one_sentence(shell: Shell) -> None:
    name = "a" * 300
    assert shell("compile", NETWORK, "--chip", "loihi1", "-o", name) == 2
    assert shell.err == f"neuroemu: {name}: cannot be written (File name too long); choose a shorter name\n"
    assert shell("report", name) == 2
    assert (
        shell.err
        == f"neuroemu: {name}: is not the folder of a run (File name too long); make one with `neuroemu run`\n"
    )


# ---- outputs
def test_every_output_is_kept_unless_told(shell: Shell) -> None:
    """Asked before any work: the inputs named here do not exist, and nobody notices."""
    Path("taken").write_text("mine")
    compiling = ("compile", "no.nir", "--chip", "loihi1")
    running = ("--input", "no.npy")
    for arguments in (
        (*compiling, "-o", "taken"),
        ("run", "no.image", *running, "-o", "taken"),
        ("run", "no.image", *running, "-o", "a", "--record", "taken"),
        ("deploy", "no.nir", "--chip", "loihi1", *running, "--record", "taken"),
        ("replay", "no.aer", "no.image", "-o", "taken"),
        ("export", "no.aer", "taken"),
        ("train", "no.nir", "--rule", "sfdfa", "--data", "no", "-o", "taken"),
        ("train", "no.nir", "--rule", "sfdfa", "--data", "no", "--network-out", "taken"),
        ("train", "no.nir", "--rule", "sfdfa", "--data", "no", "--history", "taken"),
    ):
        assert shell(*arguments) == 2
        text = "taken: already exists; choose another name, or replace it with --force"
        assert shell.err == f"neuroemu: {text}\n", arguments
        assert shell(*arguments, "--force") == 2
        assert text not in shell.err, arguments
    assert Path("taken").read_text() == "mine"


def test_force_replaces_only_what_is_of_the_kind(shell: Shell) -> None:
    """Known before the inputs are read, which do not exist."""
    Path("notes").write_text("mine")
    Path("folder").mkdir()
    run = ("run", "no.image", "--input", "no.npy", "--force", "-o")
    for arguments, text in (
        ((*run, "folder"), "folder: holds no run, so it is not replaced; choose another folder"),
        ((*run, "notes"), "notes: is no folder, so it is not replaced by one; choose another name"),
        ((*run, "a", "--record", "notes"), "notes: holds no recording, so it is not replaced; choose another file"),
        (
            ("compile", "no.nir", "--chip", "loihi1", "--force", "-o", "folder"),
            "folder: is a folder; give the name of a file",
        ),
    ):
        assert shell(*arguments) == 2
        assert shell.err == f"neuroemu: {text}\n"
    assert Path("notes").read_text() == "mine"


def test_two_outputs_of_one_name(shell: Shell) -> None:
    assert shell("run", "no.image", "--input", "no.npy", "-o", "a", "--record", "a") == 2
    text = "a: is the name of two outputs; give each its own"
    assert shell.err == f"neuroemu: {text}\n"


def test_an_image_goes_into_a_pipe(shell: Shell) -> None:
    """As `compile -o /dev/null`, which replaced the device: here with a pipe of our own."""
    os.mkfifo("pipe")
    with Path("copy").open("wb") as copy, child(["cat", "pipe"], stdout=copy) as reader:
        assert shell("compile", NETWORK, "--chip", "loihi1", "-o", "pipe") == 0
        assert reader.wait() == 0
    assert Path("pipe").is_fifo()
    assert ne.load_image("copy").chip.name == "loihi1"


@pytest.mark.parametrize("argument", FLAGS)
def test_what_messages_say_of_python_has_a_command_line(argument: str) -> None:
    """And a message still says it: one that was reworded would be shown as it is."""
    package = Path(ne.__file__).parent
    sources = [re.sub(r'"\s+f?"', "", path.read_text()) for path in package.rglob("*.py") if path.name != "screen.py"]
    assert any(argument in source for source in sources)
    assert as_options(f"cannot; {argument}.") == f"cannot; {FLAGS[argument]}."


def test_a_learning_session_says_its_flags(shell: Shell) -> None:
    image, inputs = online()
    image.save("online.image")
    np.save("online.npy", inputs)
    assert shell("step", "online.image", "--input", "online.npy", "--do", "end; commit") == 2
    text = "the session is not plastic, there is nothing to commit; start it with --plastic"
    assert shell.err == f"neuroemu: {text}\n"


# ---- help
def test_help_says_the_whole_of_what_each_command_does(shell: Shell) -> None:
    assert shell("--help") == 0
    said = " ".join(shell.out.split())
    context = click.Context(cli)
    for name, (_, what) in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert " ".join(str(command.help).split("\n\n")[0].split()) == what
        assert what in said
    assert "..." not in said.split("Commands:")[1].replace("(dt, reset, ...)", "")
    assert max(map(len, shell.out.splitlines())) <= 80


def test_help_of_a_group_is_whole_too(shell: Shell) -> None:
    assert shell("firmware", "--help") == 0
    what = "Prove that the programs of FILE, or one by its name, fit a chip; show what each hook costs and what can overflow."
    assert what in " ".join(shell.out.split())


HEAVY = ("numba", "llvmlite", "nir", "h5py", "simpy")
IMPORTED = """
import sys
from neuroemu.cli.main import main
try:
    main()
except SystemExit as done:
    assert not done.code, done.code
print(*sys.modules, sep=",", file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (("--help",), (*HEAVY, "numpy", "rich", "msgspec")),
        (("chips",), HEAVY),
        (("chips", "loihi1"), HEAVY),
        (("firmware", "list"), HEAVY),
    ],
)
def test_only_what_a_command_needs_is_imported(arguments: tuple[str, ...], absent: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED, *arguments], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) > 5
    loaded = set(done.stderr.splitlines()[-1].split(","))
    assert "neuroemu.cli.main" in loaded
    assert not loaded & set(absent)


# ---- tables
def shown(fill: Callable[[object], None], width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    rows = table("name", "note", "number")
    rows.add_row("first", "a note of many words that says a lot", "12,345,678")
    fill(rows)
    fit_width(rows, console)
    console.print(rows)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


def test_a_wide_table_goes_on_in_the_next_line() -> None:
    lines = shown(lambda _: None, 40)
    assert max(map(len, lines)) <= 40
    assert [line.split() for line in lines if "12,345,678" in line] == [
        ["first", "a", "note", "of", "many", "12,345,678"]
    ]
    assert " ".join(word for line in lines[2:] for word in line.split() if word.islower()) == (
        "first a note of many words that says a lot"
    )


def test_a_table_that_fits_is_left_as_it_is() -> None:
    assert shown(lambda _: None, 200) == shown(lambda _: None, 80)
    assert len(shown(lambda _: None, 80)) == 3


def test_no_letter_is_left_out_of_the_narrowest_table() -> None:
    letters = "".join("".join(shown(lambda _: None, 12)[:]).split())
    for word in ("first", "lot", "12,345,678"):
        assert all(letter in letters for letter in word)
    assert "…" not in letters


def test_results_fit_eighty_columns_where_nobody_looks(shell: Shell) -> None:
    assert shell("chips", "atlas") == 0
    tables = [line for line in shell.out.splitlines() if line.startswith(" ")]
    assert len(tables) > 100
    assert max(len(line.rstrip()) for line in tables) <= 80
    assert "…" not in shell.out
