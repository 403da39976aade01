"""SECURITY.md names what there is: modules, tests, limits, and every kind of file that is fuzzed."""

from __future__ import annotations

import re
from pathlib import Path

from fuzz_kinds import KINDS

from neuroemu.base.reading import MOST_BYTES, MOST_BYTES_VARIABLE, MOST_HEADER, MOST_TEXT
from neuroemu.image.image import MOST_NEURONS
from neuroemu.language.isa import MAX_TICKS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "SECURITY.md").read_text()
ROWS = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| kind")]


def test_every_path_named_is_there() -> None:
    named = set(re.findall(r"`([\w/.]+\.py)`", PAGE))
    there = {
        path.relative_to(ROOT).as_posix() for folder in ("neuroemu", "tests") for path in (ROOT / folder).rglob("*.py")
    }
    assert len(named) > 20
    for name in named:
        assert any(path == name or path.endswith(f"/{name}") for path in there), name


def test_every_kind_that_is_fuzzed_has_a_row() -> None:
    """And every row that says data names the test that holds it."""
    words = " ".join(row[0].lower() for row in ROWS)
    names = {"arrays": "inputs, labels, data sets", "idx": "idx", "plan": "training plan"}
    for kind in KINDS:
        assert names.get(kind, kind) in words, kind
    data = [row for row in ROWS if row[1] == "data"]
    assert len(data) >= 10
    assert all("`tests/" in row[3] for row in data)


def test_limits_are_as_the_code_has_them() -> None:
    assert f"1 GiB that an archive may unpack to (`{MOST_BYTES_VARIABLE}` moves it)" in " ".join(PAGE.split())
    assert MOST_BYTES == 1 << 30
    assert f"{MOST_HEADER >> 20} MiB of header, {MOST_TEXT >> 10} KiB of a text" in " ".join(PAGE.split())
    assert (MOST_NEURONS, MAX_TICKS) == (1 << 24, 1 << 20)
