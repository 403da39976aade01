"""What a table that does not fit its schema has wrong, in the words of whoever wrote the table."""

from __future__ import annotations

import re

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "str": "a text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at (?P<place>.*))?$", re.DOTALL)


def in_words(message: str) -> str:
    """msgspec's message with the key first: ``Expected `int` >= 1 - at `$.data.ticks``` is ``data.ticks: expected a whole number of at
    least 1``."""
    found = _PLACE.match(message)
    assert found is not None
    key = re.sub(r"^(`key` in )?`\$\.?|`$", "", found["place"] or "")
    key = re.sub(r"\.?\[\.\.\.\]", "", key)
    what = found["what"]
    what = re.sub(r"^Object contains unknown field `(.*)`$", r"there is no key '\1'", what)
    what = re.sub(r"^Object missing required field `(.*)`$", r"key '\1' is missing", what)
    what = re.sub(r"^Expected ", "expected ", what)
    what = re.sub(r"`([a-z]+(?: \| [a-z]+)*)`", lambda kinds: _kinds(kinds[1]), what)
    what = re.sub(r" >= (-?[0-9]+)", r" of at least \1", what)
    what = re.sub(r" <= (-?[0-9]+)", r" of at most \1", what)
    what = re.sub(r" of length ([0-9]+), got ([0-9]+)$", r" of \1, got \2", what)
    return f"{key}: {what}" if key else what


def _kinds(names: str) -> str:
    """Kinds of values; nothing is what a key that is left out has, so it is not offered."""
    kinds = names.split(" | ")
    return " or ".join(_KINDS.get(kind, kind) for kind in kinds if kind != "null" or len(kinds) == 1)
