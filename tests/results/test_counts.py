"""A run's counts are a mapping that knows what it counted, and refuses what no run counts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from cases import CASES
from fails import fails

import neuroemu as ne
from neuroemu.results.counts import LEARNING, Counts, count_names

TABLE = {("synop", 0, "h"): 3, ("synop", 1, "h"): 4, ("synop", 1, "o"): 5, ("hop_x", 0, "h"): 2, ("dropped", 0, "h"): 0}
COUNTS = Counts(TABLE)


def test_counts_are_a_mapping() -> None:
    assert isinstance(COUNTS, Mapping)
    assert dict(COUNTS) == {"synop": 12, "hop_x": 2}
    assert list(COUNTS) == ["hop_x", "synop"]
    assert (len(COUNTS), "synop" in COUNTS, "dropped" in COUNTS, "typo" in COUNTS, 3 in COUNTS) == (
        2,
        True,
        False,
        False,
        False,
    )
    assert (COUNTS.get("synop"), COUNTS.get("dropped"), COUNTS.get("typo", 7)) == (12, None, 7)
    assert sorted(COUNTS.items()) == [("hop_x", 2), ("synop", 12)]
    assert dict(zip(COUNTS.keys(), COUNTS.values(), strict=True)) == {**COUNTS}
    assert Counts(TABLE) == COUNTS
    assert Counts({}) != COUNTS
    assert repr(COUNTS) == "Counts({'hop_x': 2, 'synop': 12})"


def test_what_was_not_counted_is_zero() -> None:
    assert (COUNTS["dropped"], COUNTS["weight_update"], COUNTS[f"{LEARNING}synop"]) == (0, 0, 0)
    assert COUNTS.by_owner("dropped") == {}
    assert COUNTS.by_core("synop") == {0: 3, 1: 9}


def test_what_no_run_counts_is_refused() -> None:
    text = "no count named 'synops'; did you mean 'synop'? there are: hop_x, synop"
    for ask in (lambda: COUNTS["synops"], lambda: COUNTS.by_owner("synops"), lambda: COUNTS.by_core("synops")):
        with fails(ne.UnknownNameError, text):
            ask()
    with pytest.raises(ne.UnknownNameError, match=r"^no count named 'send'; there are: axon_in, barrier, "):
        Counts()["send"]  # a figure of datasheets: counts have it by channel


@pytest.mark.parametrize("name", ["online", "layered"])
def test_every_count_of_a_run_has_a_known_name(name: str) -> None:
    case = CASES[name](np.random.default_rng(0))
    run = ne.run(case.image(), case.inputs, engine="python", plastic=name == "online")
    assert len(run.counts) > 10
    assert set(run.counts) <= set(count_names())
    assert run.counts.names == tuple(run.counts)
