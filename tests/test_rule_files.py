"""A shipped rule is a short file that a user could have written: its length, its wire function, and what it imports."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import neuroemu as ne

ROOT = Path(__file__).parent.parent
RULES = sorted((ROOT / "firmware" / "rules").glob("*.py"))
FIRMWARE = sorted((ROOT / "firmware").rglob("*.py"))
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LONGEST_FILE, LONGEST_WIRE = 220, 50


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", RULES, ids=named)
def test_a_rule_is_a_short_file(path: Path) -> None:
    text = path.read_text()
    lines = len(text.splitlines())
    assert 0 < lines <= LONGEST_FILE, f"{named(path)} has {lines} lines, a rule has at most {LONGEST_FILE}"
    hosts = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name.startswith("wire")]
    assert "wire" in {node.name for node in hosts}
    for node in hosts:
        long = (node.end_lineno or 0) - node.lineno + 1
        assert long <= LONGEST_WIRE, f"{named(path)}: {node.name} has {long} lines, at most {LONGEST_WIRE}"


def neuroemus(tree: ast.AST) -> set[str]:
    """Modules of neuroemu that a text imports, in functions too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return {name for name in found if name.split(".")[0] == "neuroemu"}


@pytest.mark.parametrize("path", [*FIRMWARE, *EXAMPLES], ids=named)
def test_shipped_firmware_and_examples_use_what_is_public(path: Path) -> None:
    assert neuroemus(ast.parse(path.read_text())) <= {"neuroemu", "neuroemu.isa"}


def test_that_they_import_at_all() -> None:
    seen = [neuroemus(ast.parse(path.read_text())) for path in [*RULES, *EXAMPLES]]
    assert sum("neuroemu" in names for names in seen) >= len(RULES) + 6


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_pages_show_what_is_public(page: Path) -> None:
    text = page.read_text()
    for module in re.findall(r"^(?:>>> )?(?:from|import) (neuroemu[\w.]*)", text, re.MULTILINE):
        assert module in ("neuroemu", "neuroemu.isa")
    for name in re.findall(r"\bne\.(\w+)", text):
        assert hasattr(ne, name), f"{named(page)} names ne.{name}"


def test_public_names_are_all_there() -> None:
    assert len(ne.__all__) == len(set(ne.__all__))
    for name in ("layers", "drawn", "mirrored", "rewired", "python_hooks", "check_program", "RuleCodeWarning"):
        assert name in ne.__all__
        assert getattr(ne, name).__doc__
