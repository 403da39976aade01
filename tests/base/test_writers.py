"""Every writer writes whole or not at all, to what a link leads to, into pipes and devices, and clears away what killed ones left."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fails import fails

from neuroemu.base import files
from neuroemu.base.errors import FileError
from neuroemu.base.files import path_whole, stream_whole, writable_file, writable_folder, write_folder, write_whole


def by_path(path: Path, content: bytes) -> None:
    with path_whole(path) as inside:
        inside.write_bytes(content)


WRITERS: dict[str, Callable[[Path, bytes], None]] = {"whole": write_whole, "by path": by_path}


@pytest.fixture(params=list(WRITERS))
def write(request: pytest.FixtureRequest) -> Callable[[Path, bytes], None]:
    return WRITERS[request.param]


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- files
@pytest.mark.usefixtures("umask")
def test_file_is_written_whole(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    write(tmp_path / "a", b"old")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    (tmp_path / "a").chmod(0o600)
    write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600, "who could read it can, nobody else"
    assert names(tmp_path) == ["a"]


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a").write_bytes(b"old")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to(Path("there") / "a")
    (tmp_path / "nowhere").symlink_to(Path("there") / "new")
    write(tmp_path / "one", b"a")
    write(tmp_path / "nowhere", b"b")
    assert [(tmp_path / "there" / name).read_bytes() for name in ("a", "new")] == [b"a", b"b"]
    assert (tmp_path / "one").is_symlink()
    assert (tmp_path / "nowhere").is_symlink()
    assert names(tmp_path / "there") == ["a", "new"]


def test_a_pipe_is_written_into(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    read: list[bytes] = []
    for name in ("pipe", "link"):
        reader = threading.Thread(target=lambda name=name: read.append((tmp_path / name).read_bytes()), daemon=True)
        reader.start()
        writable_file(tmp_path / name, replace=False)
        write(tmp_path / name, b"x" * 100_000)
        reader.join()
    assert read == [b"x" * 100_000] * 2
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert names(tmp_path) == ["link", "pipe"]


def test_what_is_no_place_for_a_file_is_refused(
    tmp_path: Path, write: Callable[[Path, bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    with fails(FileError, f"{tmp_path / 'folder'}: is a folder; give the name of a file"):
        write(tmp_path / "folder", b"new")
    with fails(FileError, f"{tmp_path / 'folder'}: is a folder; give the name of a file"):
        writable_file(tmp_path / "folder", replace=True)
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with fails(FileError, "socket: is a socket, which is not written to; give the name of a file"):
            write(Path("socket"), b"new")
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)


def test_a_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = os.stat_result([stat.S_IFBLK | 0o660, *[0] * 9])
    monkeypatch.setattr(Path, "stat", lambda *_, **__: disk)
    with fails(FileError, f"{tmp_path / 'sda'}: is a disk, which is not written to; give the name of a file"):
        write_whole(tmp_path / "sda", b"new")


def test_file_cannot_be_written(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    path = tmp_path / "no" / "a"
    text = f"{path}: cannot be written (No such file or directory); check the folder and its permissions"
    with fails(FileError, text):
        write(path, b"new")
    with fails(FileError, f"{path}: its folder does not exist; make it, or choose another path"):
        writable_file(path, replace=False)
    path = tmp_path / ("a" * 300)
    for attempt in (lambda: write(path, b"new"), lambda: writable_file(path, replace=False)):
        with fails(FileError, f"{path}: cannot be written (File name too long); choose a shorter name"):
            attempt()
    assert names(tmp_path) == []


def test_a_folder_without_permission_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root every folder can be written, so the answer is put in the system's mouth."""
    (tmp_path / "a").write_text("old")
    refused: list[Path] = []
    monkeypatch.setattr("os.access", lambda path, _: path not in refused)
    writable_file(tmp_path / "a", replace=True)
    for path in (tmp_path, tmp_path / "a"):
        refused[:] = [path]
        text = f"{tmp_path / 'a'}: cannot be written (Permission denied); check the folder and its permissions"
        with fails(FileError, text):
            writable_file(tmp_path / "a", replace=True)


def test_the_longest_name_can_be_written(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    write(tmp_path / ("é" * 127), b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


def test_what_is_there_is_asked_for_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with fails(FileError, f"{tmp_path / 'a'}: already exists; choose another name, or replace it with replace=True"):
        writable_file(tmp_path / "a", replace=False)
    writable_file(tmp_path / "a", replace=True)
    writable_file(tmp_path / "b", replace=False)
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_a_writer_that_is_stopped_leaves_nothing(tmp_path: Path, stop: type[BaseException]) -> None:
    (tmp_path / "a").write_text("old")

    def half() -> None:
        with stream_whole(tmp_path / "a") as write:
            write(b"half")
            assert len(names(tmp_path)) == 2
            raise stop

    with pytest.raises(stop):
        half()
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


# ---- folders
def fill(folder: Path) -> None:
    (folder / "a").write_text("new")


def test_folder_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "parent" / "run"
    write_folder(path, fill)
    (path / "b").write_text("old")
    (tmp_path / "link").symlink_to(path)
    write_folder(tmp_path / "link", fill, replace=True)
    assert (tmp_path / "link").is_symlink()
    assert names(path) == ["a"]
    assert names(path.parent) == ["run"]


def test_folder_is_kept(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    path = tmp_path / "run"
    with fails(FileError, f"{path}: already exists; choose another name, or replace it with replace=True"):
        write_folder(path, fill)
    assert names(path) == []
    (tmp_path / "notes").write_text("mine")
    path = tmp_path / "notes"
    with fails(FileError, f"{path}: is no folder, so it is not replaced by one; choose another name"):
        write_folder(path, fill, replace=True)
    assert path.read_text() == "mine"
    assert names(tmp_path) == ["notes", "run"]


def test_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    path = tmp_path / "a" / "run"
    with fails(FileError, f"{path}: cannot be written (File exists); check the folder and its permissions"):
        write_folder(path, fill)
    path = tmp_path / ("a" * 300)
    with fails(FileError, f"{path}: cannot be written (File name too long); choose a shorter name"):
        writable_folder(path, replace=False)
    assert (tmp_path / "a").read_text() == "a file"


@pytest.mark.parametrize("replace", [False, True])
def test_folder_half_filled_is_dropped(tmp_path: Path, replace: bool) -> None:
    path = tmp_path / "run"
    if replace:
        write_folder(path, fill)

    def half(folder: Path) -> None:
        (folder / "b").write_text("half")
        raise OSError(28, "No space left on device")

    text = f"{path}: cannot be written (No space left on device); free some space, or choose a folder on another disk"
    with fails(FileError, text):
        write_folder(path, half, replace=replace)
    assert [found.name for found in tmp_path.rglob("*")] == (["run", "a"] if replace else [])


def test_a_folder_that_cannot_take_its_name_gives_the_earlier_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    write_folder(path, lambda folder: (folder / "old").touch())
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if (self / "a").exists():
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with fails(FileError, f"{path}: cannot be written (Permission denied); check the folder and its permissions"):
        write_folder(path, fill, replace=True)
    assert names(path) == ["old"]
    assert names(tmp_path) == ["run"]


# ---- what killed writers left
DEAD = """
import os, sys
from pathlib import Path
from neuroemu.base.files import stream_whole, write_folder
with stream_whole(Path(sys.argv[1])) as write:
    write(b"half")
    write_folder(Path(sys.argv[2]), lambda folder: os._exit(9))
"""


def test_what_a_killed_writer_left_goes_with_the_next(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.aer", tmp_path / "run"
    done = subprocess.run([sys.executable, "-c", DEAD, str(file), str(folder)], check=False)
    assert done.returncode == 9
    left = names(tmp_path)
    assert [name[: name.index(".", 2)] for name in left] == [".a", ".run"]
    write_whole(tmp_path / "b", b"another name")
    assert set(left) < set(names(tmp_path))
    write_whole(file, b"new")
    write_folder(folder, fill)
    assert names(tmp_path) == ["a.aer", "b", "run"]


def test_what_others_write_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that lives, one of another machine, a thread of this one, and files that only look alike."""
    living = files._stem(tmp_path / "a") + f"{os.getppid()}-{'0' * 16}"
    (tmp_path / living).touch()
    mine = (
        files._stem(tmp_path / "a") + f"{os.getpid()}-{'0' * 16}"
    )  # of an earlier process of this number: a container has few
    for name in (".a", f".a.{'0' * 8}-1-{'0' * 16}", f".a.notes-{'0' * 16}", mine):
        (tmp_path / name).touch()
    with stream_whole(tmp_path / "a") as write:
        write(b"slow")
        write_whole(tmp_path / "a", b"quick")
    assert (tmp_path / "a").read_bytes() == b"slow"
    assert names(tmp_path) == sorted([".a", f".a.{'0' * 8}-1-{'0' * 16}", f".a.notes-{'0' * 16}", living, "a"])
    monkeypatch.setattr("os.name", "nt")
    assert files._lives(1 << 22), "where asking would end the process, nobody is asked"
