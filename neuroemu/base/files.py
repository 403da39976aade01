"""Files written whole or not at all: beside the target first, then renamed over it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neuroemu.base.errors import FileError


def write_whole(path: Path, content: bytes) -> None:
    """Write the file, or leave what was there. Raises FileError."""
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise FileError(f"{path}: cannot be written ({error.strerror}); check the folder and its permissions") from None


def writable(path: Path, *, replace: bool) -> None:
    """Refuse a folder that exists, unless it is to be replaced. Raises FileError."""
    if path.exists() and not replace:
        raise FileError(f"{path}: already exists; choose another folder, or replace it with --force")


def write_folder(path: Path, fill: Callable[[Path], None], *, replace: bool = False) -> None:
    """Make a folder with ``fill(folder)``, whole or not at all. An existing one is kept unless ``replace``. Raises FileError."""
    writable(path, replace=replace)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        temporary.chmod(0o755)
        fill(temporary)
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.")) / "old"
            path.rename(old)
            temporary.rename(path)
            shutil.rmtree(old.parent, ignore_errors=True)
        else:
            temporary.rename(path)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror}); check the folder and its permissions") from None
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def stream_whole(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Give a function that writes the file's next bytes. The file takes its name when the block ends well, or leaves what was there.

    For files too long to hold in memory. Raises FileError.
    """
    with _writing(path):
        file = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False)  # noqa: SIM115
    temporary = Path(file.name)

    def write(content: bytes) -> None:
        with _writing(path):
            file.write(content)

    try:
        yield write
        with _writing(path):
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
    finally:
        with suppress(OSError):  # what a full disk could not take is thrown away anyhow
            file.close()
        temporary.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror}); check the folder and its permissions") from None
