"""Every place that raises a user's error has a test that states its whole text.

The raise sites are found in the source; a site counts as tested if some string in the tests could be its text, with the
site's own words in full and something in the place of its values. The tests that hold these strings compare whole texts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import neuroemu.base.errors

ROOT = Path(__file__).parent.parent
ERRORS = {name for name in vars(neuroemu.base.errors) if name.endswith("Error")} - {"NeuroemuError"}
ERROR_MAKERS = {"refuse", "at", "too_much", "unknown"}
"""Helpers that make an error from a text or its parts."""
FEWEST_WORDS = 12
"""Letters a site's own words must have, or anything would match."""
INNER = {"unknown", "at", "refuse"}


def _pieces(node: ast.expr) -> list[str | None]:
    """The text of a message: strings, and None for each value put in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return [piece for value in node.values for piece in _pieces(value)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_pieces(node.left), *_pieces(node.right)]
    return [None]


def _sites(tree: ast.AST) -> Iterator[tuple[int, list[str | None]]]:
    """Line and message of every raise of an error of ours whose message stands there."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Raise | ast.Return) or not isinstance(
            call := getattr(node, "exc", None) or getattr(node, "value", None), ast.Call
        ):
            continue
        function = call.func
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        if name in ERRORS and call.args:
            yield node.lineno, _pieces(call.args[0])
        elif name in ERROR_MAKERS and isinstance(node, ast.Raise) and name != "unknown" and name != "too_much":
            yield node.lineno, [None, *_pieces(call.args[-1])]


def raise_sites() -> list[tuple[str, list[str | None]]]:
    """(module:line, message) of every site in the package."""
    found = []
    for path in sorted((ROOT / "neuroemu").rglob("*.py")):
        for line, message in _sites(ast.parse(path.read_text())):
            text = "".join(piece or "" for piece in message)
            if sum(c.isalpha() for c in text) >= FEWEST_WORDS:
                found.append((f"{path.relative_to(ROOT)}:{line}", message))
    return found


def _expected() -> list[str]:
    """Every string in the tests, values put in replaced by a mark."""
    texts = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
                pieces = _pieces(node)
                if any(piece is not None for piece in pieces):
                    texts.append("".join("\0" if piece is None else piece for piece in pieces))
    return texts


SITES = raise_sites()
EXPECTED = _expected()


def test_the_sites_are_found() -> None:
    assert len(SITES) > 100


@pytest.mark.parametrize(("place", "message"), SITES, ids=[place for place, _ in SITES])
def test_raise_site_has_a_test_of_its_text(place: str, message: list[str | None]) -> None:
    pattern = re.compile("".join(".*" if piece is None else re.escape(piece) for piece in message), re.DOTALL)
    assert any(pattern.fullmatch(text) for text in EXPECTED), f"{place}: no test states: {pattern.pattern}"
