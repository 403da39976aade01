"""Firmware snippets with a mark, §, at the place an error must point to."""

from __future__ import annotations

PATH = "p.py"
MARK = "§"


def marked(source: str, path: str = PATH) -> tuple[str, str]:
    """The source without its mark, and the start of the message: ``p.py:2:9: ``."""
    assert source.count(MARK) == 1, source
    before, after = source.split(MARK)
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return before + after, f"{path}:{line}:{column}: "
