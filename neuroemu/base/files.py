"""Files written whole or not at all: beside the target first, then renamed over it. Arrays read from files that may be damaged.

One rule for every writer: links are followed, what they lead to is replaced; a pipe or a device is written into; a socket, a disk or
a folder in a file's place is refused. What is written beside is named ``.name.HOST-PID-RANDOM``, so that the next writer of the same
name can remove what a killed one has left.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.base.errors import FileError

LONGEST_STEM = 120
"""Bytes of a target's name that stand in the name of what is written beside it; longer ones give way to a digest."""
_WAYS_OUT = {
    errno.ENOSPC: "free some space, or choose a folder on another disk",
    errno.EDQUOT: "free some space, or choose a folder on another disk",
    errno.ENAMETOOLONG: "choose a shorter name",
}
_writing_now: set[str] = set()
"""Names that threads of this process write at the moment."""


# ---- asking before any work
def writable_file(path: Path, *, replace: bool) -> None:
    """Refuse a file's path that cannot be written, or that holds a file which is not to be replaced. Raises FileError."""
    with _refusing(path):
        place = _place(path)
    if place is not None:
        _check_place(path, place, replace)


def writable_folder(path: Path, *, replace: bool) -> None:
    """Refuse a folder's path that holds a folder which is not to be replaced, or something else. Raises FileError."""
    with _refusing(path):
        exists = path.exists()
    if exists and not replace:
        raise FileError(f"{path}: already exists; choose another name, or replace it with replace=True")
    if exists and not path.is_dir():
        raise FileError(f"{path}: is no folder, so it is not replaced by one; choose another name")


def _check_place(path: Path, place: Path, replace: bool) -> None:
    if place.exists() and not replace:
        raise FileError(f"{path}: already exists; choose another name, or replace it with replace=True")
    if not place.parent.is_dir():
        raise FileError(f"{path}: its folder does not exist; make it, or choose another path")
    for needed in (place.parent, *([place] if place.exists() else [])):
        if not os.access(needed, os.W_OK):
            with _refusing(path):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _place(path: Path) -> Path | None:
    """What a new file is renamed over: the path, or what its links lead to. None for a pipe or a device, which is written into.

    Raises OSError, and FileError for a folder, a disk or a socket.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise FileError(f"{path}: is a folder; give the name of a file")
    if stat.S_ISSOCK(mode) or stat.S_ISBLK(mode):
        what = "a socket" if stat.S_ISSOCK(mode) else "a disk"
        raise FileError(f"{path}: is {what}, which is not written to; give the name of a file")
    return Path(os.path.realpath(path)) if stat.S_ISREG(mode) else None


# ---- writing
def write_whole(path: Path, content: bytes) -> None:
    """Write the file, or leave what was there. An earlier file is replaced. Raises FileError."""
    with stream_whole(path) as write:
        write(content)


@contextmanager
def stream_whole(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Give a function that writes the file's next bytes. The file takes its name when the block ends well, or leaves what was there.

    For files too long to hold in memory. An earlier file is replaced and its permissions kept. Raises FileError.
    """
    with _refusing(path):
        place = _place(path)
        temporary = path if place is None else _beside(place)
        file = temporary.open("wb" if place is None else "xb")

    def write(content: bytes) -> None:
        with _refusing(path):
            file.write(content)

    try:
        yield write
        with _refusing(path):
            file.flush()
            if place is not None:
                os.fsync(file.fileno())
                file.close()  # Windows renames no open file
                if place.exists():
                    temporary.chmod(stat.S_IMODE(place.stat().st_mode))
                temporary.replace(place)
    finally:
        with suppress(OSError):  # what a full disk could not take is thrown away anyhow
            file.close()
        if place is not None:
            _forget(temporary)


@contextmanager
def path_whole(path: Path) -> Iterator[Path]:
    """Give a path to write a file at, for libraries that open files by themselves; as ``stream_whole`` otherwise.

    It ends as the target does, for libraries that go by the ending.
    """
    with _refusing(path):
        place = _place(path)
        if place is None:
            folder = Path(tempfile.mkdtemp())
        else:
            folder = _beside(place)
            folder.mkdir()
    try:
        with _refusing(path):
            inside = folder / f"file{path.suffix}"
            yield inside
            if place is None:
                with stream_whole(path) as write:
                    write(inside.read_bytes())
            else:
                if place.exists():
                    inside.chmod(stat.S_IMODE(place.stat().st_mode))
                inside.replace(place)
    finally:
        _forget(folder)


def write_folder(path: Path, fill: Callable[[Path], None], *, replace: bool = False) -> None:
    """Make a folder with ``fill(folder)``, whole or not at all. An existing one is kept unless ``replace``. Raises FileError."""
    writable_folder(path, replace=replace)
    with _refusing(path):
        place = Path(os.path.realpath(path))
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(place)
        old = _beside(place)
    try:
        with _refusing(path):
            temporary.mkdir()
            fill(temporary)
            if place.exists():
                place.rename(old)
                try:
                    temporary.rename(place)
                except OSError:
                    old.rename(place)
                    raise
            else:
                temporary.rename(place)
    finally:
        _forget(temporary)
        _forget(old)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        way_out = _WAYS_OUT.get(error.errno or 0, "check the folder and its permissions")
        raise FileError(f"{path}: cannot be written ({error.strerror or error}); {way_out}") from None


# ---- what is written beside
def _beside(place: Path) -> Path:
    """A new name beside the target, after what killed writers left there is removed."""
    stem = _stem(place)
    ours = re.compile(rf"{re.escape(stem)}(?P<pid>[0-9]+)-[0-9a-f]{{16}}")
    with suppress(OSError):  # a folder that cannot be listed, or is not there
        for left in place.parent.iterdir():
            found = ours.fullmatch(left.name)
            if found and left.name not in _writing_now and not _lives(int(found["pid"])):
                _remove(left)
    chosen = place.parent / f"{stem}{os.getpid()}-{secrets.token_hex(8)}"
    _writing_now.add(chosen.name)
    return chosen


def _stem(place: Path) -> str:
    """How the names beside a target begin on this machine. Process numbers of other machines on a shared disk mean nothing here."""
    name = place.name
    if len(os.fsencode(name)) > LONGEST_STEM:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return f".{name}.{_machine()}-"


@cache
def _machine() -> str:
    """Eight digits for where process numbers are counted: the machine, and on Linux the container."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]


def _lives(pid: int) -> bool:
    """Whether a process runs; this one's own number is that of an earlier one, for what it writes itself is known.

    On Windows, where asking would end the process, True: there what a killed writer left stays.
    """
    if os.name == "nt":
        return True
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _forget(path: Path) -> None:
    _remove(path)
    _writing_now.discard(path.name)


# ---- reading
def load_arrays(path: str | os.PathLike[str]) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """What ``numpy.save`` or ``numpy.savez`` wrote. Raises OSError, or ValueError for whatever else is in the file."""
    with Path(path).open("rb") as file:  # NumPy leaves a broken zip open if it opens it itself
        try:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return found
            with found:
                arrays = {name: found[name] for name in found.files}
        except (OSError, MemoryError):
            raise
        except Exception as error:  # zipfile, zlib, tokenize and NumPy each raise their own kinds on damage
            raise ValueError("no file of arrays") from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):  # another zip's members come as bytes
        raise ValueError("no file of arrays")
    return arrays
