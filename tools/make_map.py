"""Write the list of files in docs/map.md from the first sentence of every module.

usage: python tools/make_map.py [--check]     --check: write nothing, exit 1 if the page is not what would be written
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "map.md"
BEGIN, END = "<!-- files: tools/make_map.py -->\n", "<!-- end of files -->\n"
ROOMS = (
    "cli",
    "inspect",
    "learning",
    "engines",
    "results",
    "compiler",
    "netx",
    "nir",
    "image",
    "network",
    "language",
    "chip",
    "base",
)
"""Top to bottom: a module imports from its own room and from those below it (tests/test_layers.py)."""


def first_sentence(path: Path) -> str:
    """What a module says of itself, up to the first full stop or colon that ends a line or a sentence."""
    text = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0].split())
    end = text.find(". ")
    return (text if end < 0 else text[:end]).rstrip(".")


def files() -> str:
    """Every module, by room."""
    lines = []
    for room in ROOMS:
        folder = ROOT / "neuroemu" / room
        lines.append(f"\n**{room}/** {first_sentence(folder / '__init__.py')}\n\n")
        for path in sorted(folder.rglob("*.py"), key=lambda path: (len(path.relative_to(folder).parts), path)):
            if path.name != "__init__.py":
                lines.append(f"- `{path.relative_to(folder)}` {first_sentence(path)}\n")
    return "".join(lines) + "\n"


def page() -> str:
    """The page with the list of now."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + files() + END + tail


def main() -> None:
    """Write the page, or say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if the page differs")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit("docs/map.md does not list the modules as they are; run python tools/make_map.py")


if __name__ == "__main__":
    main()
