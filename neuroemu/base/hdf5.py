"""HDF5 files from anywhere: a child process with limits reads them first, and what they state is looked at before it is read."""

from __future__ import annotations

import math
import os
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import h5py

from neuroemu.base.errors import FileError, NetworkError, NeuroemuError
from neuroemu.base.reading import MOST_BYTES_VARIABLE, most_bytes

PATIENCE_S = 60
"""Seconds that HDF5 may take to read a file."""
WORK_S, WORK_BYTES = 10, 1 << 22
"""Seconds of a processor's work that a file may take, and bytes for which there is one more: reading takes a hundredth of it."""
MOST_SAID = 1 << 12
"""Bytes of a refusal, less than a pipe takes at once."""
MOST_OBJECTS = 100_000
"""Groups and arrays of a file, each counted as often as it is reached: a few that hold each other twice are more than time has."""
MOST_NESTED = 32
_KINDS = "biufSO"
"""Numbers that are real, and strings; h5py gives strings of any length as objects."""

Read = TypeVar("Read")


@dataclass(frozen=True)
class Format:
    """What a file should be, and what writes such files: for errors."""

    name: str
    writer: str

    def wrong(self, path: str | os.PathLike[str], reason: str) -> FileError:
        """The error of a file that is something else."""
        return FileError(f"{path}: is not a {self.name} file ({reason}); export it with {self.writer}")


class _StatedError(ValueError):
    """A file states what no file of its format has; the text says what, and the way out."""


def opened(path: str | os.PathLike[str], form: Format, read: Callable[[Any], Read]) -> Read:
    """What ``read`` makes of the file opened with h5py, once what the file states has been looked at.

    Raises FileError for a file that states more than is read, leads elsewhere, or is not of this format.
    """
    try:
        with h5py.File(path, "r") as file:
            _check_stated(file, form.name)
            return read(file)
    except NeuroemuError:
        raise
    except _StatedError as error:
        raise FileError(f"{path}: is not read, for {error}; export it with {form.writer}") from None
    except Exception as error:
        raise form.wrong(path, short(error)) from None


def every_array(file: Any) -> None:
    """Read every array of a file, opened with h5py, and keep none: a library that crashes on one does so here."""
    file.visititems(lambda _, held: held[()] if isinstance(held, h5py.Dataset) else None)


def short(error: Exception) -> str:
    """The first line of a library's error, cut at 120 characters."""
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return text if len(text) <= 120 else f"{text[:117]}..."


# ---- a process of its own
def tried(path: str | os.PathLike[str], form: Format, attempt: Callable[[], object]) -> NeuroemuError | None:
    """What a process of its own says that makes the attempt first, which reads the file; None if it comes to its end.

    Damaged files crash the HDF5 library, send it round in circles, or make it take gigabytes that the file only claims to have. So
    what is refused there is never opened here.
    """
    if not hasattr(os, "fork"):
        return None
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads: the child only reads, and leaves by _exit
        child = os.fork()
    if child == 0:
        _try_and_exit(path, form, attempt, writer)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8", errors="replace") as said:
        kind, _, text = said.read().partition("\n")
    if os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        return FileError(f"{path}: is damaged: the HDF5 library crashes or hangs on it; export it again")
    return {"": None, "FileError": FileError(text), "NetworkError": NetworkError(text)}[kind]


def _try_and_exit(path: str | os.PathLike[str], form: Format, attempt: Callable[[], object], writer: int) -> None:
    """In the child: read the file within limits of time and memory, say what was refused, and leave."""
    problem: Exception | None = None
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE_S)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, WORK_S + os.path.getsize(path) / WORK_BYTES)  # noqa: PTH202
        _limit_memory()
        attempt()
    except NeuroemuError as error:
        problem = error
    except BaseException as error:
        problem = form.wrong(path, type(error).__name__)
    finally:
        if problem is not None:
            os.write(writer, f"{type(problem).__name__}\n{problem}".encode("utf-8", "replace")[:MOST_SAID])
        os._exit(0)


def _limit_memory() -> None:
    """Let the process take as much more memory as a file's arrays may, once in HDF5 and once in NumPy; where the system counts it."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + 2 * most_bytes()
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


# ---- what a file states
def _check_stated(file: Any, name: str) -> None:
    """Refuse a file that states more than is read, or leads elsewhere: opening one file must not read others."""
    total = objects = 0
    waiting = [("", file, 0)]
    while waiting:
        path, group, depth = waiting.pop()
        if depth > MOST_NESTED:
            raise _StatedError(f"its groups are nested more than {MOST_NESTED} levels deep")
        for child in group:
            place = f"{path}/{child}"
            objects += 1
            if objects > MOST_OBJECTS:
                raise _StatedError(f"it has more than {MOST_OBJECTS} groups and arrays")
            if not isinstance(group.get(child, getlink=True), h5py.HardLink):
                raise _StatedError(f"{place} is a link, which a {name} file has none of")
            found = group[child]
            if isinstance(found, h5py.Group):
                waiting.append((place, found, depth + 1))
            else:
                total += _stated(place, found)
        if total > most_bytes():
            raise _StatedError(
                f"its arrays take {total} bytes, and {most_bytes()} are read at most unless {MOST_BYTES_VARIABLE} is set to more"
            )


def _stated(place: str, dataset: Any) -> int:
    """Bytes of an array of the file's own."""
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in _KINDS:
        raise _StatedError(f"{place} holds neither real numbers nor text")
    if dataset.is_virtual or dataset.external:
        raise _StatedError(f"{place} is kept in another file")
    return math.prod(dataset.shape or (0,)) * int(dataset.dtype.itemsize)
