"""Kernels on disk: damage, folders of others, full disks and lost homes cost time, never a result; nobody else's code runs."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fails import fails

import neuroemu as ne
from neuroemu.engines import cache, compiled
from neuroemu.engines.cache import SUFFIX, kernel_folder, read_kernel, write_kernel

ROOT = Path(__file__).parents[2]
TEXT = "from numba import njit\n\n\n@njit\ndef run(x):\n    return 3 * x + {}\n"
"""A kernel that Numba compiles in a moment; run(1) is 3 more than what is put in."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of the test's own; returns the folder that is to hold kernels."""
    monkeypatch.setenv("NEUROEMU_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NEUROEMU_CACHE_MIB", raising=False)
    monkeypatch.setattr(cache, "_said", set())
    monkeypatch.setattr(cache, "_private", {})
    above = cache._above  # where the tests' folders lie is the machine's affair
    monkeypatch.setattr(cache, "_above", lambda folder: [p for p in above(folder) if p.is_relative_to(tmp_path)])
    forget()
    yield tmp_path / "cache" / "kernels"
    forget()


def forget() -> None:
    """As a new process: no kernel is in memory."""
    compiled._last.clear()
    compiled._alive.clear()


def ask(number: int = 7) -> tuple[int, bool]:
    """What the kernel computes, and whether its machine code came from disk."""
    forget()
    kernel = compiled.compiled(TEXT.format(number), "int64", lambda _: {"run": (1,)})
    stats = kernel.run.stats
    assert sum(stats.cache_hits.values()) + sum(stats.cache_misses.values()) == 1
    return kernel.run(1), bool(sum(stats.cache_hits.values()))


def only(folder: Path) -> Path:
    """The only file of a folder."""
    (path,) = folder.iterdir()
    return path


# ---- what is kept
def test_a_kernel_is_compiled_once_and_loaded_from_then_on(own_cache: Path) -> None:
    assert ask() == (10, False)
    assert only(own_cache).suffix == SUFFIX
    assert ask() == (10, True)
    assert ask(8) == (11, False), "another text is another kernel"
    if hasattr(os, "getuid"):
        assert stat.S_IMODE(own_cache.stat().st_mode) == 0o700


def test_a_kernel_is_there_to_read_and_of_its_text_alone(own_cache: Path) -> None:
    ask()
    path = only(own_cache)
    assert TEXT.format(7).encode() in path.read_bytes()[:1000]
    parts = read_kernel(path.stem)
    assert parts is not None
    write_kernel(path.stem, parts | {"text": TEXT.format(8).encode()})
    assert ask() == (10, False), "machine code of another text"


def flipped(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x10
    path.write_bytes(content)


def folder_there(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "a").write_text("something")


def link_there(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def pipe_there(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def another_there(path: Path) -> None:
    ask(8)
    (other,) = [found for found in path.parent.iterdir() if found != path]
    other.replace(path)


DAMAGE = {
    "magic": lambda path: flipped(path, 0),
    "digest": lambda path: flipped(path, 20 / path.stat().st_size),
    "head": lambda path: flipped(path, 100 / path.stat().st_size),
    "kernel text": lambda path: flipped(path, path.read_bytes().index(b"return 3") / path.stat().st_size),
    "middle": lambda path: flipped(path, 0.5),
    "last byte": lambda path: flipped(path, 1),
    "halved": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"."),
    "emptied": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("import os\n"),
    "folder": folder_there,
    "link": link_there,
    "pipe": pipe_there,
    "another kernel": another_there,
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_of_any_kind_means_compiling_again(own_cache: Path, damage: str) -> None:
    ask()
    path = only(own_cache)
    DAMAGE[damage](path)
    assert ask() == (10, False), "what is damaged is not used"
    assert stat.S_ISREG(path.lstat().st_mode)
    assert ask() == (10, True), "and is whole again"


class Harm:
    """Pickled, this makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_nothing_is_unpickled_whose_digest_is_wrong(own_cache: Path, tmp_path: Path) -> None:
    ask()
    path = only(own_cache)
    harmful = {"text": TEXT.format(7).encode(), "run": pickle.dumps(Harm(tmp_path / "harm"))}
    write_kernel(path.stem, harmful)
    assert ask() == (10, False), "Numba cannot use it, whatever it is"
    assert (tmp_path / "harm").exists(), "with the right digest it would be read: the check below is one"
    (tmp_path / "harm").rmdir()
    write_kernel(path.stem, harmful)
    flipped(path, 20 / path.stat().st_size)
    assert ask() == (10, False)
    assert not (tmp_path / "harm").exists()
    assert ask() == (10, True)


def test_a_kernel_that_cannot_be_compiled_is_not_taken_for_one() -> None:
    before = set(sys.modules)
    for _ in range(2):  # the second time too
        with pytest.raises(Exception, match="No implementation of function"):
            compiled.compiled(TEXT.format("'a'"), "int64", lambda _: {"run": (1,)})
    assert not [name for name in set(sys.modules) - before if name.startswith("kernel_")]


# ---- disks that do not take it
def test_a_full_disk_is_one_line_and_no_loss(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, _content: bytes) -> None:
        raise ne.FileError(f"{path}: cannot be written (No space left on device); free some space")

    monkeypatch.setattr(cache, "write_whole", full)
    assert ask() == (10, False)
    assert ask(8) == (11, False)
    said = capsys.readouterr().err
    assert said.startswith(f"neuroemu: the kernel was compiled but not kept: {own_cache}/kernel_")
    assert said.endswith(": cannot be written (No space left on device); free some space\n")
    assert said.count("\n") == 1, "said once"


def test_a_cache_in_the_place_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cache").write_text("I was here first")
    assert ask() == (10, False)
    assert ask() == (10, True), "a folder of the process's own serves it"
    assert capsys.readouterr().err == (
        f"neuroemu: {tmp_path}/cache/kernels cannot be used (File exists), so kernels are kept for this process only; "
        "set NEUROEMU_CACHE to a folder that you alone can write to\n"
    )
    assert (tmp_path / "cache").read_text() == "I was here first"


def test_neither_cache_nor_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(**_: object) -> str:
        raise OSError("no usable temporary directory")

    (tmp_path / "cache").write_text("")
    monkeypatch.setattr("tempfile.mkdtemp", none)
    assert kernel_folder() is None
    assert ask() == ask() == (10, False), "compiled in memory each time"


# ---- whose folder
def test_no_home(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As ``docker --user`` runs it: no HOME, and a user whom no table lists."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("NEUROEMU_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", home)
    assert ask() == (10, False)
    assert ask() == (10, True)
    assert capsys.readouterr().err == (
        "neuroemu: no home folder is known, so kernels are kept for this process only; "
        "set NEUROEMU_CACHE to a folder that you alone can write to\n"
    )


def test_the_folder_of_a_process_goes_with_it(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    (tmp_path / "tmp").mkdir()
    code = "from neuroemu.engines.cache import kernel_folder; print(kernel_folder(), kernel_folder().stat().st_mode & 0o777)"
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    path, mode = done.stdout.split()
    assert Path(path).parent == tmp_path / "tmp"
    assert int(mode) == 0o700
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "tmp").iterdir())


POSIX = pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners and modes are those of POSIX systems")


@POSIX
@pytest.mark.parametrize("how", ["owner", "mode", "link", "no folder", "above"])
def test_a_folder_of_others_is_not_used(
    own_cache: Path, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was planted there is not read, as the marker shows; the kernel is compiled, and kept elsewhere."""
    ask()
    planted = {"text": TEXT.format(7).encode(), "run": pickle.dumps(Harm(tmp_path / "harm"))}
    write_kernel(only(own_cache).stem, planted)
    mine = os.getuid()
    if how == "owner":
        monkeypatch.setattr(os, "getuid", lambda: mine + 1)
        reason = f"{own_cache} belongs to user {mine}, not to {mine + 1}"
    elif how == "mode":
        own_cache.chmod(0o770)
        reason = f"others may write to {own_cache} (mode 770, not 700)"
    elif how == "link":
        own_cache.rename(tmp_path / "planted")
        own_cache.symlink_to(tmp_path / "planted")
        reason = f"{own_cache} is a link"
    elif how == "no folder":
        own_cache.rename(tmp_path / "planted")
        own_cache.write_text("")
        reason = f"{own_cache} cannot be used (File exists)"
    else:
        own_cache.parent.chmod(0o777)
        reason = f"anybody can exchange {own_cache}, for {own_cache.parent} is open to all"
    assert ask() == (10, False)
    assert not (tmp_path / "harm").exists()
    assert capsys.readouterr().err == (
        f"neuroemu: {reason}, so kernels are kept for this process only; "
        "set NEUROEMU_CACHE to a folder that you alone can write to\n"
    )
    assert ask() == (10, True)


@POSIX
def test_a_folder_of_ours_is_closed_to_others(own_cache: Path) -> None:
    own_cache.mkdir(parents=True)
    own_cache.chmod(0o755)  # others may read: nothing can have been planted
    own_cache.parent.chmod(0o1777)  # as /tmp is: nobody can exchange what is ours
    assert kernel_folder() == own_cache
    assert stat.S_IMODE(own_cache.stat().st_mode) == 0o700


def test_a_system_without_owners(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.delattr(os, "getuid", raising=False)
    assert kernel_folder() == own_cache
    assert ask() == (10, False)
    assert ask() == (10, True)


# ---- housekeeping
def test_the_oldest_kernels_go_when_there_is_no_room(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROEMU_CACHE_MIB", "1")
    for age, name in ((50, "a"), (40, "b"), (30, "c")):
        write_kernel(name, {"run": bytes(300 << 10)})
        os.utime(own_cache / f"{name}{SUFFIX}", (time.time() - age, time.time() - age))
    assert read_kernel("a") == {"run": bytes(300 << 10)}, "a is used: b is now the one used longest ago"
    left = own_cache / ".kernel_killed"
    left.write_text("half")
    os.utime(left, (0, 0))
    write_kernel("d", {"run": bytes(300 << 10)})
    assert sorted(path.name for path in own_cache.iterdir()) == [f"{name}{SUFFIX}" for name in "acd"]
    write_kernel("e", {"run": bytes(3 << 20)})
    assert only(own_cache).stem == "e", "what was just compiled stays, whatever its size"


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "many", "²", "9" * 5000])
def test_a_limit_that_is_no_number(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROEMU_CACHE_MIB", given)
    text = f"NEUROEMU_CACHE_MIB is '{given[:40]}'; set it to a whole number of MiB from 1, of 12 digits at most, or unset it for 1024"
    with fails(ne.RunError, text):
        ask()


# ---- at once
def test_threads_that_ask_at_once_get_one_kernel() -> None:
    forget()
    together, found = threading.Barrier(4), []

    def get() -> None:
        together.wait(60)
        found.append(compiled.compiled(TEXT.format(9), "int64", lambda _: {"run": (1,)}))

    threads = [threading.Thread(target=get) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len({id(kernel) for kernel in found}) == 1
    assert found[0].run(1) == 12


def test_processes_on_one_cache(own_cache: Path) -> None:
    code = (
        "from neuroemu.engines.compiled import compiled\n"
        f"print(compiled({TEXT.format(7)!r}, 'int64', lambda _: {{'run': (1,)}}).run(1))"
    )
    command = [sys.executable, "-c", code]
    at_once = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [process.communicate() for process in at_once] == [("10\n", "")] * 3
    assert ask() == (10, True), "what one process wrote another reads"
    assert only(own_cache).suffix == SUFFIX


# ---- in memory
def test_kernels_that_nobody_holds_are_forgotten() -> None:
    held = compiled.compiled(TEXT.format(0), "int64", lambda _: {"run": (1,)})
    for number in range(1, 13):
        compiled.compiled(TEXT.format(number), "int64", lambda _: {"run": (1,)})
    modules = [module for module in sys.modules.values() if getattr(module, "__name__", "").startswith("kernel_")]
    assert held.module in modules
    mine = [module for module in modules if module is not held.module and module.run.py_func.__code__.co_argcount == 1]
    assert len(mine) == compiled.LAST
    assert held.run(1) == 3
    assert compiled.compiled(TEXT.format(0), "int64", lambda _: {"run": (1,)}) is held
