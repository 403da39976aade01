"""NumPy's integers, True and 3.0 are whole numbers wherever one is asked for, and end in files as Python's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fails import fails

import neuroemu as ne

Number = Callable[[int], Any]
SOMA = ne.Firmware("lif", {"decay_v": 0, "threshold": 5, "bias": 2})


def network(number: Number) -> ne.Network:
    """Four neurons that gain 2 in every tick and fire above 5, stored weights wider than what the datapath takes."""
    return ne.Network(
        [ne.Population("in", 1, ne.HostInput()), ne.Population("o", (np.int32(2), np.int64(2)), SOMA)],
        [ne.Projection("in", "o", np.ones((1, 4), int), view=ne.View(number(1), number(8)))],
        outputs=["o"],
        phases=[ne.Phase(number(3), number(10))],
        conventions=ne.Conventions(max_spikes=number(1)),
    )


@pytest.mark.parametrize("number", [np.int64, np.uint8, float, np.float32], ids=lambda kind: kind.__name__)
def test_files_take_every_kind_of_whole_number(number: Number, tmp_path: Path) -> None:
    chip = ne.load_chip("generic45")
    plain, image = ne.compile(network(int), chip), ne.compile(network(number), chip)
    image.save(tmp_path / "a.image")
    assert ne.load_image(tmp_path / "a.image").digest == image.digest == plain.digest
    assert image.phases == (ne.Phase(3, 10),)
    stimulus = ne.Stimulus(number(10), number(1), {}, first=number(4))
    options: dict[str, Any] = {"seed": number(7), "commit_every": number(1), "plastic": np.True_}
    run = ne.run(image, stimulus, engine="python", record=tmp_path / "a.aer", **options)
    run.save(tmp_path / "run")
    stored = ne.load_run(tmp_path / "run")
    assert (stored.seed, stored.rows, stored.n) == (7, 10, 1)
    assert stored.spikes.tick.tolist() == [tick for tick in (2, 5, 8) for _ in range(4)]
    header = ne.open_recording(tmp_path / "a.aer").header
    assert (header.seed, header.commit_every, header.plastic) == (7, 1, True)
    assert type(ne.Session(image, seed=number(7)).seed) is int


def test_true_is_a_seed(tmp_path: Path) -> None:
    image = ne.compile(network(int), ne.load_chip("generic45"))
    ne.run(image, ticks=10, engine="python", seed=True).save(tmp_path / "run")
    assert ne.load_run(tmp_path / "run").seed == 1


def image() -> ne.Image:
    return ne.compile(network(int), ne.load_chip("generic45"))


NONE: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "a seed": (lambda: ne.run(image(), ticks=10, seed="a"), ne.RunError, "seed is 'a', not a whole number; give one"),  # type: ignore[arg-type]
    "commit_every": (
        lambda: ne.run(image(), ticks=10, commit_every=1.5),  # type: ignore[arg-type]
        ne.RunError,
        "commit_every is 1.5, not a whole number; give one",
    ),
    "a session's seed": (
        lambda: ne.Session(image(), seed=None),  # type: ignore[arg-type]
        ne.RunError,
        "seed is None, not a whole number; give one",
    ),
    "a phase": (
        lambda: ne.Phase(1, 2.5),  # type: ignore[arg-type]
        ne.NetworkError,
        "phase: ticks is 2.5, not a whole number; give one",
    ),
    "a view": (
        lambda: ne.View("1", 8),  # type: ignore[arg-type]
        ne.NetworkError,
        "view: shift is '1', not a whole number; give one",
    ),
    "a modulator": (
        lambda: ne.Modulator("o", float("nan")),  # type: ignore[arg-type]
        ne.NetworkError,
        "modulator: tick is nan, not a whole number; give one",
    ),
    "a stimulus": (
        lambda: ne.Stimulus(1.5, 1, {}),  # type: ignore[arg-type]
        ne.StimulusError,
        "stimulus: rows is 1.5, not a whole number; give one",
    ),
    "epochs": (
        lambda: ne.train(image(), (np.zeros((1, 1)), np.zeros(1, int)), epochs="a"),  # type: ignore[arg-type]
        ne.RunError,
        "epochs is 'a', not a whole number; give one",
    ),
}


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_whole_number_is_refused_where_it_is_given(name: str) -> None:
    ask, error, text = NONE[name]
    with fails(error, text):
        ask()
