"""The list of engines, and what is said of one that a machine cannot run."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from fails import fails

import neuroemu as ne
from neuroemu.engines import available
from neuroemu.engines.available import ENGINES, runnable


def test_every_engine_is_listed_and_runs_here() -> None:
    """All libraries are installed where tests run, so that none of the engines they compare is left out."""
    assert ne.available_engines() == dict.fromkeys(ENGINES)
    assert {"cpu", "event", "python"} <= set(ENGINES)
    assert runnable() == tuple(ENGINES)
    assert all(find_spec(f"neuroemu.engines.{engine.module}") for engine in ENGINES.values())


def test_an_engine_whose_library_is_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(available, "find_spec", lambda name: None if name == "simpy" else find_spec(name))
    text = "engine 'event' needs the library simpy, which is not installed; install it with pip install simpy"
    assert ne.available_engines() == dict.fromkeys(ENGINES) | {"event": text}
    assert runnable() == tuple(name for name in ENGINES if name != "event")
    lif = ne.Firmware("lif", {"decay_v": 0, "threshold": 5})
    network = ne.Network(
        [ne.Population("in", 1, ne.HostInput()), ne.Population("out", 1, lif)],
        [ne.Projection("in", "out", np.full((1, 1), 9))],
        outputs=["out"],
    )
    image, inputs = ne.compile(network, ne.load_chip("generic45")), np.ones((3, 1), int)
    with fails(ne.RunError, text):
        ne.run(image, inputs, engine="event")
    assert len(ne.run(image, inputs, engine="python").spikes) > 0
