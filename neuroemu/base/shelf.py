"""Find a chip or a firmware file by name: beside the package in a checkout, inside it in a wheel, or at a path."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from neuroemu.base.errors import FileError, UnknownNameError

_PACKAGE = Path(__file__).parents[1]


def folder(kind: str) -> Path:
    """The folder of shipped files of that kind, ``cores`` or ``firmware``."""
    inside = _PACKAGE / "data" / kind
    return inside if inside.is_dir() else _PACKAGE.parent / kind


def chips() -> tuple[str, ...]:
    """Names of the shipped chips."""
    return tuple(sorted(path.stem for path in folder("cores").glob("*.toml")))


def programs() -> tuple[str, ...]:
    """Names of the shipped firmware files: neuron programs and rules."""
    return tuple(sorted({*neurons(), *rules()}))


def neurons() -> tuple[str, ...]:
    """Names of the shipped neuron programs."""
    return tuple(sorted(path.stem for path in (folder("firmware") / "neurons").glob("*.py")))


def rules() -> tuple[str, ...]:
    """Names of the shipped learning rules."""
    return tuple(sorted(path.stem for path in (folder("firmware") / "rules").glob("*.py")))


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a name that does not exist, with what does and the nearest to it."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return UnknownNameError(f"no {kind} named '{name}'; {hint}there are: {', '.join(names) or 'none'}")


def find_chip(name: str | os.PathLike[str]) -> Path:
    """The datasheet of a shipped chip, or the path itself if it names a file (``./mine.toml``)."""
    text = os.fspath(name)
    if text.endswith(".toml") or os.sep in text:
        return _existing(text, "a datasheet")
    if text not in chips():
        raise unknown("chip", text, chips())
    return folder("cores") / f"{text}.toml"


def find_program(name: str | os.PathLike[str], rule: bool = False) -> tuple[Path, str]:
    """The firmware file of a program and the program's name in it: ``lif``, ``sfdfa.hidden`` or ``./mine.py``.

    A neuron and a rule may share a name: the bare name is the neuron's unless a ``rule`` is asked for, a name with a member the
    rule's.
    """
    text = os.fspath(name)
    if text.endswith(".py") or os.sep in text:
        path, _, member = text.partition(".py.")
        path = f"{path}.py" if member else text
        found = _existing(path, "a firmware file")
        return found, f"{found.stem}.{member}" if member else found.stem
    stem, member, _ = text.partition(".")
    for part in ("rules", "neurons") if rule or member else ("neurons", "rules"):
        path_ = folder("firmware") / part / f"{stem}.py"
        if _is_file(path_):
            return path_, text
    raise unknown("rule", stem, rules()) if rule else unknown("program", stem or text, programs())


def shipped(path: Path) -> bool:
    """Whether a firmware file came with neuroemu: it lies in the folder of shipped programs, links followed."""
    return path.resolve().is_relative_to(folder("firmware").resolve())


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, say
        return False


def _existing(text: str, what: str) -> Path:
    path = Path(text)
    if not _is_file(path):
        raise FileError(f"{text}: no such file; give the path of {what}, or the name of a shipped one")
    return path


def read_text(path: Path) -> str:
    """The file's text; FileError if it is not readable UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8 text") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from None
