"""The formats that recordings are exported to, by name: a new one is a module that writes it and a row here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from neuroemu.base.errors import UnknownNameError
from neuroemu.base.shelf import unknown
from neuroemu.results.aedat import to_aedat2
from neuroemu.results.recording import Recording


class Writer(Protocol):
    """Writes the sends of a recording to a path and returns how many there were; raises FileError, UnknownNameError."""

    def __call__(
        self,
        recording: Recording | str | os.PathLike[str],
        path: str | os.PathLike[str],
        *,
        tick_us: int = 1000,
        population: str | None = None,
        drop_payloads: bool = False,
    ) -> int: ...


class ExportFormat(NamedTuple):
    """A format: what it is, the suffixes of its files, and what writes it."""

    title: str
    suffixes: tuple[str, ...]
    write: Writer


FORMATS: Mapping[str, ExportFormat] = {
    "aedat2": ExportFormat("AEDAT 2.0, for jAER and other tools", (".aedat", ".aedat2", ".dat"), to_aedat2),
}


def export_format(path: str | os.PathLike[str], name: str | None = None) -> ExportFormat:
    """The format of that name, or else the one whose suffix the path has. Raises UnknownNameError."""
    if name is not None:
        if name not in FORMATS:
            raise unknown("format", name, FORMATS)
        return FORMATS[name]
    suffix = Path(path).suffix.lower()
    for found in FORMATS.values():
        if suffix in found.suffixes:
            return found
    known = ", ".join(f"{name} ({', '.join(one.suffixes)})" for name, one in FORMATS.items())
    raise UnknownNameError(f"{path}: no format has the suffix '{suffix}'; say which with --format, there are: {known}")
