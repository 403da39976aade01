"""Formats of exports are found by name and by suffix."""

from __future__ import annotations

import pytest
from fails import fails

import neuroemu as ne
from neuroemu.results.export import FORMATS, export_format


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_found_by_its_name_and_its_suffixes(name: str) -> None:
    for suffix in FORMATS[name].suffixes:
        assert export_format(f"x{suffix.upper()}") is FORMATS[name]
    assert export_format("/dev/stdout", name) is FORMATS[name]


def test_no_suffix_belongs_to_two_formats() -> None:
    suffixes = [suffix for found in FORMATS.values() for suffix in found.suffixes]
    assert len(suffixes) == len(set(suffixes)) >= 1


def test_unknown_formats_are_one_sentence() -> None:
    with fails(ne.UnknownNameError, "no format named 'aedat3'; did you mean 'aedat2'? there are: aedat2"):
        export_format("x.aedat", "aedat3")
    text = "x.csv: no format has the suffix '.csv'; say which with --format, there are: aedat2 (.aedat, .aedat2, .dat)"
    with fails(ne.UnknownNameError, text):
        export_format("x.csv")
