"""Headers and arrays that no compiled image has are refused by the value's place, before anything is made of them.

The digest of each file is right, so it is the checks of values that refuse it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from changes import CODE, Change, changed, drop, made, nested, put, without
from fails import fails

import neuroemu as ne
from neuroemu.base.errors import FileError

P, Q = "populations", "projections"
TYPES: dict[str, tuple[str, Change, str]] = {
    "no populations": ("graded", drop(P), "the header has no 'populations'"),
    "populations a number": ("graded", put(P, to=3), "populations is 3, not a list"),
    "a field more": ("graded", put("import os", to=1), "the header has an unknown 'import os'"),
    "id0 is code": (
        "graded",
        put(P, 1, "id0", to=CODE),
        r"populations[1].id0 is '0\nimport os', not a whole number from 0 to 16777216",
    ),
    "id0 true": (
        "graded",
        put(P, 0, "id0", to=True),
        "populations[0].id0 is True, not a whole number from 0 to 16777216",
    ),
    "id0 a list": (
        "graded",
        put(P, 0, "id0", to=[1]),
        "populations[0].id0 is a list of 1, not a whole number from 0 to 16777216",
    ),
    "id0 past 64 bits": (
        "graded",
        put(P, 0, "id0", to=10**30),
        "populations[0].id0 is a number past 64 bits, not a whole number from 0 to 16777216",
    ),
    "half a character in a text": (
        "graded",
        put("chip_text", to="# \ude00"),
        "chip_text holds '\\ude00', which is half of a character",
    ),
    "half a character in a name": (
        "graded",
        put(P, 0, "name", to="in\ud800"),
        "populations: a name holds '\\ud800', which cannot be printed",
    ),
    "name a number": ("graded", put(P, 0, "name", to=7), "populations[0].name is 7, not a string"),
    "shape of 0": (
        "graded",
        put(P, 1, "shape", to=[0]),
        "populations[1].shape[0] is 0, not a whole number from 1 to 16777216",
    ),
    "shape too large": (
        "graded",
        put(P, 1, "shape", to=[1 << 20, 1 << 20]),
        "populations[1].shape is a list of 2, not 1 to 32 sizes of together at most 16777216 neurons",
    ),
    "switch 2": (
        "layered",
        put(P, 1, "switches", "late", to=2),
        "populations[1].switches.late is 2, not a whole number from 0 to 1",
    ),
    "param is code": (
        "graded",
        put(P, 1, "params", "decay", to=CODE),
        r"populations[1].params.decay is '0\nimport os', not a whole number or 'population1.param.decay'",
    ),
    "param name is code": (
        "graded",
        put(P, 1, "params", "x = os", to=1),
        "populations[1].params: the key is 'x = os', not a name of letters, digits and _",
    ),
    "width is code": (
        "graded",
        put(P, 1, "widths", "v", to=[CODE, 0]),
        r"populations[1].widths.v[0] is '0\nimport os', not a whole number from 2 to 64",
    ),
    "width of three": (
        "graded",
        put(P, 1, "widths", "v", to=[1, 2, 3]),
        "populations[1].widths.v is a list of 3, not a list of 2",
    ),
    "compete is code": (
        "rivals",
        put(P, 2, "compete", "fire", to=CODE),
        r"populations[2].compete.fire is '0\nimport os', not a name of letters, digits and _",
    ),
    "flag is code": (
        "rivals",
        put(P, 2, "compete", "a b", to="v"),
        "populations[2].compete: the key is 'a b', not a name of letters, digits and _",
    ),
    "core -1": (
        "graded",
        put(P, 1, "slices", 0, 0, to=-1),
        "populations[1].slices[0][0] is -1, not a whole number from 0 to 4294967295",
    ),
    "groups a number": ("rivals", put(P, 2, "groups", to=1), "populations[2].groups is 1, not true or false"),
    "view is code": (
        "graded",
        put(Q, 0, "view", to=[1, 1, "8)\nimport os"]),
        r"projections[0].view[2] is '8)\nimport os', not a whole number from 2 to 32",
    ),
    "view shifts by 0": (
        "graded",
        put(Q, 0, "view", to=[0, 0, 8]),
        "projections[0].view[0] is 0, not a whole number from 1 to 31",
    ),
    "pre out of range": ("graded", put(Q, 0, "pre", to=2), "projections[0].pre is 2, not a whole number from 0 to 1"),
    "delay a float": (
        "graded",
        put(Q, 0, "delays", 0, to=1.5),
        "projections[0].delays[0] is 1.5, not a whole number from 0 to 1048576",
    ),
    "channel unknown": (
        "graded",
        put(Q, 0, "routes", "x", to=[]),
        "projections[0].routes: the key is 'x', not one of spike, error, probe, inhibit, input, target",
    ),
    "mode unknown": (
        "graded",
        put(Q, 0, "routes", "input", to=[["drive", "x"]]),
        "projections[0].routes.input[0][1] is 'x', not one of weight, weight*payload",
    ),
    "port is code": (
        "graded",
        put(Q, 0, "routes", "input", to=[["a b", "weight"]]),
        "projections[0].routes.input[0][0] is 'a b', not a name of letters, digits and _",
    ),
    "probe is code": (
        "graded",
        put("probes", 0, 1, to=CODE),
        r"probes[0][1] is '0\nimport os', not a name of letters, digits and _",
    ),
    "probe alone": ("graded", put("probes", to=[[1]]), "probes[0] is a list of 1, not a list of 2"),
    "phase 256": (
        "graded",
        put("phases", 0, "number", to=256),
        "phases[0].number is 256, not a whole number from 0 to 255",
    ),
    "phase in days": ("graded", put("phases", to=[{"number": 0, "days": 3}]), "phases[0] has no 'ticks'"),
    "lag -1": ("graded", put("lag", to=-1), "lag is -1, not a whole number from 0 to 1048576"),
    "loss a string": ("layered", put("losses", 0, "scale", to="x"), "losses[0].scale is 'x', not a number"),
    "conventions too deep": (
        "layered",
        put("conventions", "dt", to=nested(34)),
        "conventions.dt[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][... is nested more than 32 levels deep",
    ),
    "no synapses": ("graded", without("projection0.0.post"), "there is no array 'projection0.0.post'"),
    "an array more": ("graded", lambda _, arrays: arrays.update(x=np.zeros(2)), "there is an unknown array 'x'"),
    "post as floats": (
        "graded",
        made("projection0.0.post", lambda a: a.astype(float)),
        "array 'projection0.0.post' has shape (11,) and dtype float64, not any of int32",
    ),
    "weights cut": (
        "online",
        made("projection0.0.weight", lambda a: a[:-1]),
        "array 'projection0.0.weight' has shape (59,) and dtype int32, not 60 of int32",
    ),
}
"""What the types and ranges of the header and the shapes of arrays refuse."""


@pytest.mark.parametrize("kind", TYPES)
def test_a_value_of_the_wrong_type_or_range_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.image"
    case, change, text = TYPES[kind]
    changed(path, case, change)
    with fails(FileError, f"{path}: the image is damaged, {text}; compile the network again"):
        ne.load_image(path)
