"""Images whose parts do not hold together are refused by the first part that does not, before they run.

The digest of each file is right, so it is the checks of values that refuse it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import CASES
from changes import Change, at, changed, drop, image_of, made, put, source
from fails import fails

import neuroemu as ne
from neuroemu.base.errors import FileError

P, Q = "populations", "projections"


def doubled(_: object, arrays: dict[str, np.ndarray]) -> None:
    arrays["projection0.0.ids"] = np.full_like(arrays["projection0.0.ids"], 1 << 32)


WHOLE: dict[str, tuple[str, Change, str]] = {
    "ids begin elsewhere": ("graded", put(P, 1, "id0", to=10), "populations[1].id0 is 10, not 9, where its ids begin"),
    "two of one name": ("graded", put(P, 0, "name", to="h"), "populations: 2 are called 'h'"),
    "a population's name": (
        "graded",
        put(Q, 0, "name", to="h"),
        "a population and a projection are called 'h'",
    ),
    "no name": ("graded", put(P, 0, "name", to=""), "populations: a name is empty"),
    "a name that ends early": (
        "graded",
        put(Q, 0, "name", to="p\0q"),
        "projections: a name holds '\\x00', which cannot be printed",
    ),
    "a name too long": (
        "graded",
        put(Q, 0, "name", to="p" * 70_000),
        "projections: a name has 70000 characters, 4000 is the most",
    ),
    "enabled elsewhere": ("graded", put(P, 1, "enable", to=1), "populations[1].enable is 1, not 0"),
    "host with cores": (
        "graded",
        put(P, 0, "slices", to=[[0, 0, 9, 99]]),
        "populations[0].slices is given, a host input has none",
    ),
    "no such program": (
        "graded",
        put(P, 1, "program", to="lif"),
        "populations[1].program is 'lif', which programs lacks",
    ),
    "width of another": (
        "graded",
        put(P, 1, "widths", "v", to=[31, 0]),
        "populations[1].widths.v is 31 bits, saturating, its program has 16 bits, saturating on generic45",
    ),
    "width too many": (
        "graded",
        put(P, 1, "widths", "z", to=[31, 0]),
        "populations[1].widths.z is 31 bits, saturating, its program has none on generic45",
    ),
    "param missing": (
        "graded",
        drop(P, 1, "params", "decay"),
        "populations[1].params.decay is missing, program 'chatty' needs it",
    ),
    "param too many": (
        "graded",
        put(P, 1, "params", "other", to=1),
        "populations[1].params.other is given, program 'chatty' has none of that name",
    ),
    "param out of range": (
        "graded",
        put(P, 1, "params", "decay", to=9999),
        "populations[1].params.decay holds 9999, not numbers from 0 to 4096",
    ),
    "table empty": (
        "graded",
        made("population1.param.curve", lambda a: a[:0]),
        "populations[1].params.curve has shape (0,), not 16 entries",
    ),
    "params too few": (
        "graded",
        made("population1.param.threshold", lambda a: a[:-1]),
        "populations[1].params.threshold has shape (6,), not one value, or 7",
    ),
    "core not there": (
        "graded",
        put(P, 1, "slices", 0, 0, to=64),
        "populations[1].slices[0] is on core 64, generic45 has 0..63",
    ),
    "slice from 1": (
        "graded",
        put(P, 1, "slices", 0, 1, to=1),
        "populations[1].slices[0] holds neurons 1 to 6, not from 0 on",
    ),
    "slice too short": ("graded", put(P, 1, "slices", 0, 2, to=6), "populations[1].slices end at neuron 6 of 7"),
    "slots twice": (
        "layered",
        put(P, 2, "slices", 0, to=[0, 0, 5, 11]),
        "slot 11 of core 0 is taken twice, by 'hidden' and 'out'",
    ),
    "no such flag": (
        "rivals",
        put(P, 2, "compete", to={"probe": "v_learn", "fire": "v_learn", "spike": "v_send"}),
        "populations[2].compete names flag 'probe', its program sets spike, fire",
    ),
    "no such score": (
        "rivals",
        put(P, 2, "compete", "fire", to="nought"),
        "populations[2].compete.fire is 'nought', not one of v_learn, v_send, wins",
    ),
    "group -1": ("rivals", at("population2.groups", 0, -1), "populations[2].groups holds -1, not numbers from 0 to 7"),
    "post not there": (
        "online",
        at("projection0.0.post", 5, 11),
        "projections[0].0.post holds 11, not numbers from 0 to 5",
    ),
    "post twice": (
        "online",
        at("projection0.0.post", 1, 0),
        "projections[0].0.post does not ascend within a row, at entry 1",
    ),
    "pointer back": (
        "online",
        at("projection0.0.indptr", 1, 99),
        "projections[0].0.indptr does not ascend from 0 to 60, the length of what it points into",
    ),
    "pointer from 1": (
        "online",
        at("projection0.0.indptr", 0, 1),
        "projections[0].0.indptr does not ascend from 0 to 60, the length of what it points into",
    ),
    "weight too large": (
        "online",
        at("projection0.0.weight", 0, 1 << 30),
        "projections[0].0.weight holds 1073741824, not numbers from -32768 to 32767",
    ),
    "id of a neuron": (
        "online",
        at("projection0.0.ids", 0, 3),
        "projections[0].0.ids holds 3, not numbers from 4294967296 to 4611686018427387904",
    ),
    "ids twice": ("online", doubled, "projections[0] has synapse id 4294967296 twice"),
    "delays fall": (
        "graded",
        put(Q, 0, "delays", to=[3, 2, 1, 0]),
        "projections[0].delays is [3, 2, 1, 0], not ascending",
    ),
    "delay too long": ("online", put(Q, 0, "delays", to=[63]), "projections[0].delays holds 63, generic45 has 62"),
    "into the host": (
        "online",
        put(Q, 0, "post", to=0),
        "projections[0].post is 0, a host input, which takes no synapses",
    ),
    "no such channel": (
        "online",
        put(Q, 0, "routes", to={"spike": [["drive", "weight"]]}),
        "projections[0].routes has 'spike', its source sends on input",
    ),
    "no such port": (
        "online",
        put(Q, 0, "routes", to={"input": [["side", "weight"]]}),
        "projections[0].routes.input names port 'side', not one of drive",
    ),
    "view half": ("online", put(Q, 0, "view", to=[3, 3, 8]), "projections[0].view rounds by 3, not 0 or 4"),
    "no rule": (
        "online",
        put(Q, 0, "program", to=None),
        "projections[0] has params, widths, switches or frozen, but no program that they are of",
    ),
    "axon elsewhere": ("online", at("routing.axon_core", 0, 1), "routing.axon_core is not that of its synapses"),
    "entry elsewhere": (
        "online",
        at("entries.0.input.axons", 0, 3),
        "entries.0.input.axons is not that of its synapses",
    ),
    "no entries": ("online", put("entries", to=[]), "there is an unknown array 'entries.0.input.indptr'"),
    "output of the host": ("online", put("outputs", to=[0]), "outputs has 0, a host input"),
    "no such probe": ("online", put("probes", to=[[1, "u"]]), "probes has register 'u', which population 1 lacks"),
    "probe of the host": ("online", put("probes", to=[[0, "v"]]), "probes has register 'v', which population 0 lacks"),
    "probe twice": ("graded", put("probes", 1, to=[1, "v"]), "probes holds one twice"),
    "modulator of the host": (
        "graded",
        put("modulators", 0, "population", to="in"),
        "modulators names 'in', which has no modulate hook",
    ),
    "phases too long": (
        "graded",
        put("phases", 0, "ticks", to=1 << 20),
        "phases last 1048581 ticks together, not at most 1048576",
    ),
    "aligned with phases": ("graded", put("aligned", to=True), "populations[1].enable is 0, not 1"),
    "a register more": (
        "online",
        lambda h, a: (h.update(registers=["out.w"]), a.update({"register.out.w": np.zeros(6, np.int64)})),
        "registers names 'out.w', which does not last or does not exist",
    ),
}
"""What does not hold together."""


@pytest.mark.parametrize("kind", WHOLE)
def test_an_image_that_does_not_hold_together_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.image"
    case, change, text = WHOLE[kind]
    changed(path, case, change)
    with fails(FileError, f"{path}: the image is damaged, {text}; compile the network again"):
        ne.load_image(path)


HELD = {
    "a program that is none": (source("import os\n"), "{path}: what the image holds is refused: "),
    "a datasheet that is none": (put("chip_text", to="core = 1"), "{path}: what the image holds is refused: "),
}


@pytest.mark.parametrize("kind", HELD)
def test_what_an_image_holds_is_refused_by_its_own_check(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.image"
    change, text = HELD[kind]
    changed(path, "online", change)
    with pytest.raises(FileError) as caught:
        ne.load_image(path)
    assert str(caught.value).startswith(text.format(path=path))
    assert "\n" not in str(caught.value)


def test_every_case_comes_back(tmp_path: Path) -> None:
    """The checks refuse no image that was compiled: whole, taken apart and put together, and the same."""
    for name in CASES:
        changed(tmp_path / "a.image", name, lambda *_: None)
        assert ne.load_image(tmp_path / "a.image").digest == image_of(name).digest
