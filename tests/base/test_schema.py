"""What a table has wrong is said by its key and in plain words, whatever msgspec says."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from neuroemu.base.schema import in_words


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    n: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    name: str | None = None
    pair: tuple[int, int] = (0, 0)
    share: float = 0.0
    on: bool = True
    kind: Literal["a", "b"] = "a"


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    inner: Inner
    named: dict[str, Inner] = {}


SAYS = [
    ({}, "key 'inner' is missing"),
    ({"inner": 3}, "inner: expected a table, got a whole number"),
    ({"inner": {}, "iner": {}}, "there is no key 'iner'"),
    ({"inner": {"m": 1}}, "inner: there is no key 'm'"),
    ({"inner": {"n": 0}}, "inner.n: expected a whole number of at least 1"),
    ({"inner": {"n": 10}}, "inner.n: expected a whole number of at most 9"),
    ({"inner": {"n": "1"}}, "inner.n: expected a whole number, got a text in quotes"),
    ({"inner": {"name": [1]}}, "inner.name: expected a text in quotes, got a list"),
    ({"inner": {"pair": [1]}}, "inner.pair: expected a list of 2, got 1"),
    ({"inner": {"pair": [1, True]}}, "inner.pair[1]: expected a whole number, got true or false"),
    ({"inner": {"share": None}}, "inner.share: expected a number, got nothing"),
    ({"inner": {"on": 1.5}}, "inner.on: expected true or false, got a number"),
    ({"inner": {}, "named": {"x": {"n": 0}}}, "named.n: expected a whole number of at least 1"),
]


@pytest.mark.parametrize(("table", "text"), SAYS, ids=[text for _, text in SAYS])
def test_a_table_is_refused_in_words(table: dict[str, Any], text: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(table, Outer)
    assert in_words(str(caught.value)) == text
    assert "`" not in text


def test_what_is_not_known_is_passed_on_with_its_key() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"inner": {"kind": "c"}}, Outer)
    assert in_words(str(caught.value)) == "inner.kind: Invalid enum value 'c'"
