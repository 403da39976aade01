"""Kernels on disk: the folder they are kept in, whom it is trusted to, and what is thrown away.

A kernel's file holds machine code and pickles: whoever can write it runs code as its reader. The trust root is the folder, which must be
the user's own, closed to others (mode 0700) and no link; any other is not used. The digest in a file finds damage, not malice, for
whoever can write into the folder can write digests too. A file is read once, and nothing of it is used before its digest is right.

Systems: Linux and macOS. Where there is no ``os.getuid`` (Windows) owner and mode cannot be asked for: the user's profile protects them.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from neuroemu.base.errors import FileError, RunError
from neuroemu.base.files import write_whole

KERNEL_MAGIC = b"neuroemu kernel 2\n"
SUFFIX = ".kernel"
MOST_MIB = 1024
"""About a thousand kernels of the largest shipped rules; a network in everyday work has two."""
MIB = 1 << 20
MOST_DIGITS = 12
"""Of a number of MiB that is set: Python refuses to read thousands of digits."""
STALE_S = 24 * 3600
"""Age of a half-written file whose writer must be dead: none takes a day."""
_ONCE = threading.RLock()
_said: set[str] = set()
_private: dict[int, Path] = {}
"""The folder of each process (by its number: a forked child has its own) that has no safe one."""


@dataclass(frozen=True)
class Held:
    """What a folder holds: kernels and their bytes together."""

    path: Path
    kernels: int
    size: int


def say_once(subject: str, text: str) -> None:
    """One line on standard error, the first time of a subject: a cache is never a reason to lose a result, nor to be silent."""
    with _ONCE:
        if subject not in _said:
            _said.add(subject)
            with suppress(
                OSError, ValueError, AttributeError
            ):  # standard error may be full, closed, or not there at all
                sys.stderr.write(f"neuroemu: {text}\n")


# ---- the folder
def kernel_folder() -> Path | None:
    """Where kernels are kept: ``kernels`` in $NEUROEMU_CACHE, or in the user's cache folder, made if it is not there.

    If that cannot be used or is not safe, a folder of this process alone, which goes with it, and a line on standard error that says
    why. None if not even that can be made.
    """
    folder, reason = chosen_folder()
    if not reason:
        return folder
    with _ONCE:
        private = _private.get(os.getpid())
        if private is None or not private.is_dir():
            say_once(
                "folder",
                f"{reason}, so kernels are kept for this process only; set NEUROEMU_CACHE to a folder that you alone can write to",
            )
            try:
                private = Path(tempfile.mkdtemp(prefix="neuroemu-"))
            except OSError:
                return None
            _private[os.getpid()] = private
            atexit.register(partial(_remove_private, os.getpid(), private))
        return private


def chosen_folder() -> tuple[Path, str]:
    """The folder that the user's settings name, and why it cannot be used; an empty reason if it can."""
    chosen = os.environ.get("NEUROEMU_CACHE") or os.environ.get("XDG_CACHE_HOME")
    try:
        base = Path(chosen) if chosen else Path.home() / ".cache"
        base = base if os.environ.get("NEUROEMU_CACHE") else base / "neuroemu"
    except RuntimeError:  # no HOME, and the user is in no table of users, as in a container
        return Path("kernels"), "no home folder is known"
    folder = base.absolute() / "kernels"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder, _distrust(folder)
    except OSError as error:
        return folder, f"{folder} cannot be used ({error.strerror or error})"


def _distrust(folder: Path) -> str:
    """Why others could have written into the folder, or put it there; empty if they could not. One of ours is closed to others."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return f"{folder} is {'a link' if stat.S_ISLNK(found.st_mode) else 'no folder'}"
    if not hasattr(os, "getuid"):
        return ""
    if found.st_uid != os.getuid():
        return f"{folder} belongs to user {found.st_uid}, not to {os.getuid()}"
    if found.st_mode & 0o022:
        return f"others may write to {folder} (mode {stat.S_IMODE(found.st_mode):o}, not 700)"
    for above in _above(folder):
        mode = above.stat().st_mode
        if (
            mode & 0o002 and not mode & stat.S_ISVTX
        ):  # with the sticky bit, as /tmp has it, nobody can exchange what is ours
            return f"anybody can exchange {folder}, for {above} is open to all"
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return ""


def _above(folder: Path) -> Sequence[Path]:
    """The folders that a folder lies in, links on the way there followed."""
    return folder.resolve().parents


def _remove_private(process: int, folder: Path) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


# ---- a kernel's file
def read_kernel(name: str) -> dict[str, bytes] | None:
    """The parts of a kernel's file, by name; None if it is not there, or damaged: then it is removed."""
    folder = kernel_folder()
    if folder is None:
        return None
    path = folder / f"{name}{SUFFIX}"
    try:
        parts = _parts(_read_regular(path), name)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):  # a link, a folder, no permission; not what was written
        drop_kernel(name)
        return None
    with suppress(OSError):
        os.utime(path)  # what is used stays longest
    return parts


def write_kernel(name: str, parts: Mapping[str, bytes]) -> None:
    """Keep a kernel, whole or not at all. A disk that does not take it costs a line on standard error, never a result."""
    folder = kernel_folder()
    if folder is None:
        return
    path = folder / f"{name}{SUFFIX}"
    head = json.dumps({"name": name, "parts": {part: len(content) for part, content in parts.items()}}).encode()
    body = b"\n".join([head, b"".join(parts.values())])
    if path.is_symlink() or not path.is_file():
        drop_kernel(name)
    try:
        write_whole(path, KERNEL_MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    except FileError as error:
        say_once("write", f"the kernel was compiled but not kept: {error}")
        return
    trim(folder, keep=path)


def drop_kernel(name: str) -> None:
    """Remove a kernel's file, or what is in its place."""
    folder = kernel_folder()
    if folder is not None:
        _remove(folder / f"{name}{SUFFIX}")


def _read_regular(path: Path) -> bytes:
    """The bytes of a regular file; neither a link is followed nor a pipe waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("not a regular file")
        return file.read()


def _parts(content: bytes, name: str) -> dict[str, bytes]:
    """The parts of a file that is whole and holds the kernel it is named by. Raises ValueError, KeyError or TypeError otherwise."""
    if not content.startswith(KERNEL_MAGIC):
        raise ValueError("not a kernel")
    digest, _, body = content[len(KERNEL_MAGIC) :].partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise ValueError("damaged")
    head, _, rest = body.partition(b"\n")
    told = json.loads(head)
    if told["name"] != name:
        raise ValueError("another kernel")
    parts, low = {}, 0
    for part, size in told["parts"].items():
        parts[part] = rest[low : low + size]
        low += size
    return parts


# ---- housekeeping
def most_bytes() -> int:
    """Bytes that kernels may take on disk: $NEUROEMU_CACHE_MIB, or MOST_MIB. Raises RunError."""
    given = os.environ.get("NEUROEMU_CACHE_MIB", "")
    if given and not (given.isascii() and given.isdigit() and len(given) <= MOST_DIGITS and int(given) >= 1):
        raise RunError(
            f"NEUROEMU_CACHE_MIB is '{given[:40]}'; set it to a whole number of MiB from 1, of {MOST_DIGITS} digits at most, or unset it "
            f"for {MOST_MIB}"
        )
    return (int(given) if given else MOST_MIB) * MIB


def trim(folder: Path, keep: Path) -> None:
    """Remove the kernels used longest ago until the rest fits, and what killed writers left; never the kernel ``keep``."""
    files = _files(folder)
    newest = max((found.st_mtime for _, found in files), default=0.0)
    for path, found in files:
        if path.name.startswith(".") and newest - found.st_mtime > STALE_S:
            _remove(path)
    kernels = sorted(((p, s) for p, s in files if p.suffix == SUFFIX and p != keep), key=lambda file: file[1].st_mtime)
    room = most_bytes() - sum(found.st_size for path, found in files if path.suffix == SUFFIX)
    for path, found in kernels:
        if room >= 0:
            return
        _remove(path)
        room += found.st_size


def held(folder: Path) -> Held:
    """How many kernels the folder holds, and their bytes together."""
    sizes = [found.st_size for path, found in _files(folder) if path.suffix == SUFFIX]
    return Held(folder, len(sizes), sum(sizes))


def clear(folder: Path) -> Held:
    """Remove all kernels, and what killed writers left; tells what was held."""
    before = held(folder)
    for path, _ in _files(folder):
        if path.suffix == SUFFIX or path.name.startswith("."):
            _remove(path)
    return before


def _files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """What lies in the folder; another process may remove files meanwhile."""
    found = []
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                found.append((path, path.lstat()))
    return found


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
