"""Write neuroemu/__init__.pyi, what type checkers read of the names that neuroemu imports when they are first used.

usage: python tools/make_stub.py [--check]     --check: write nothing, exit 1 if the file is not what would be written
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import neuroemu

STUB = Path(__file__).resolve().parent.parent / "neuroemu" / "__init__.pyi"
HEAD = "# Written by tools/make_stub.py from the table in __init__.py.\n"


def stub() -> str:
    """The file's text."""
    lines = [
        f"from neuroemu.{module} import {name} as {name}{'  # noqa: A004' if name == 'compile' else ''}\n"
        for module, names in sorted(vars(neuroemu)["_NAMES"].items())
        for name in names.split()
    ]
    return "".join([HEAD, *lines, "\n__version__: str\n", "__all__: list[str]\n"])


def main() -> None:
    """Write the file, or say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if the file differs")
    if not parser.parse_args().check:
        STUB.write_text(stub())
    elif STUB.read_text() != stub():
        sys.exit("neuroemu/__init__.pyi is not what the table in __init__.py says; run python tools/make_stub.py")


if __name__ == "__main__":
    main()
