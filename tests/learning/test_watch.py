"""A watch changes no bit, records what it is asked to within its memory, is read again, and warns of what learns no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fails import fails
from foreign import image_parts, packed
from lessons import CLASSES, N_IN, READOUT, encode, image, task
from spikegrad_cases import compiled
from spikegrad_cases import network as spikegrad_network

import neuroemu as ne
from neuroemu.learning.health import Window, weight_limits
from neuroemu.learning.histogram import as_table, histogram
from neuroemu.results.report import as_text
from neuroemu.results.report_learning import learning_lines


def train(watch: ne.Watch | None, n: int = 60, **how: Any) -> ne.Training:
    inputs, labels = task(n, 1)
    given = {"encode": encode, "output": "out", "readout": READOUT, "engine": "python", "epochs": 2} | how
    return ne.train(image(), (inputs, labels), watch=watch, **given)


# ---- recording
def test_it_records_weights_as_they_were_and_changes_no_bit() -> None:
    watch = ne.Watch(weights=["p", "p[3, 1]"], every=10)
    watched, alone = train(watch), train(None)
    assert watched.memory.weights["p"].any()
    assert watched.memory.digest == alone.memory.digest
    assert watch.presentations.tolist() == list(range(0, 121, 10))
    weights = watch.series["weight.p"]
    assert not weights[0].any()
    assert weights[-1].tolist() == watched.memory.weights["p"].tolist()
    assert watch.series["weight.p[3, 1]"][:, 0].tolist() == weights[:, 3 * CLASSES + 1].tolist()
    at_30 = train(None, epochs=1, n=60, commit_every=1)
    assert weights[6].tolist() == at_30.memory.weights["p"].tolist(), "presentation 60 is the first epoch's end"


def test_intervals_fall_on_the_first_commit_from_a_multiple_on() -> None:
    watch = ne.Watch(weights=["p[0, 0]"], every=10)
    train(watch, commit_every=4, epochs=1)
    assert watch.presentations.tolist() == [0, 12, 20, 32, 40, 52, 60]
    by_epoch = ne.Watch()
    train(by_epoch, epochs=3)
    assert by_epoch.presentations.tolist() == [0, 60, 120, 180]


def test_rates_are_spikes_a_presentation_since_the_record_before() -> None:
    built = compiled(spikegrad_network((6, 5, 4, 3)))
    rng, watch = np.random.default_rng(0), ne.Watch(registers=["h1.bias"], angles=[("h1->h2.back", "h1->h2")], every=4)
    x, labels = rng.integers(0, 16, (8, 6)), rng.integers(0, 3, 8)

    def graded(values: np.ndarray, first: int) -> ne.Stimulus:
        return ne.stimulus(values[None], {"in": 6}, first=first)

    done = ne.train(built, (x, labels), encode=graded, output="out", readout=("out", "v"), engine="python", watch=watch)
    series = watch.series
    assert series["register.h1.bias"].shape == (3, 5)
    assert series["register.h1.bias"][-1].tolist() == done.memory.registers["h1.bias"].tolist()
    assert series["register.h1.bias"][-1].any()
    assert series["angle.h1->h2.back"].tolist() == [0, 0, 0]
    assert not series["rate.h1"][0].any()
    total = 4 * sum(rates.sum() for name in series if name.startswith("rate.") for rates in series[name])
    assert total == pytest.approx(8 * done.history[0].spikes)
    assert total > 8
    assert set(watch.rates) == {"h1", "h2"}, "the others have no spike to send"
    assert set(watch.rates) == {h.name for h in ne.rate_histograms(watch.rates)}


def test_a_long_training_is_recorded_coarser_not_cut() -> None:
    watch = ne.Watch(weights=["p"], every=1, most_bytes=12 * N_IN * CLASSES * 8)
    done = train(watch, epochs=1)
    kept = watch.presentations
    assert 6 <= len(kept) <= 12
    assert watch.stride == 8
    assert kept.tolist() == list(range(0, 61, 8))
    assert done.memory.digest == train(None, epochs=1).memory.digest


def test_it_is_saved_read_and_gone_on_with(tmp_path: Path) -> None:
    path, whole = tmp_path / "w.npz", ne.Watch(weights=["p"], every=20)
    train(whole)
    cut, checkpoint = ne.Watch(weights=["p"], every=20), tmp_path / "c.npz"
    train(cut, epochs=1, checkpoint=checkpoint)
    cut.save(path)
    again = ne.Watch.load(path)
    assert again.presentations.tolist() == [0, 20, 40, 60]
    assert [f.text for f in again.findings] == [f.text for f in cut.findings]
    train(again, checkpoint=checkpoint)
    assert again.presentations.tolist() == whole.presentations.tolist()
    for name, rows in whole.series.items():
        assert np.array_equal(again.series[name], rows), name
    assert json.loads(json.dumps(again.as_dict()))["presentations"][-1] == 120
    train(again, epochs=1)
    assert not again.series["weight.p"][0].any()
    train(again, epochs=1, start=ne.Memory({"p": np.arange(64)}))
    assert again.series["weight.p"][0].tolist() == list(range(64))
    assert again.presentations.tolist() == [0, 20, 40, 60], "a training that starts anew takes the place of the old one"
    path.write_bytes(path.read_bytes()[:-40])
    with fails(ne.FileError, f"{path}: is no recording of a watch, or is damaged; train again with it"):
        ne.Watch.load(path)
    text = f"{checkpoint}: is no recording of a watch, or is damaged (the header has no 'weights'); train again with it"
    with fails(ne.FileError, text):
        ne.Watch.load(checkpoint)
    with fails(ne.FileError, f"{tmp_path}: cannot be read (Is a directory); give the path of what Watch.save wrote"):
        ne.Watch.load(tmp_path)


def test_what_cannot_be_watched_is_refused_before_training() -> None:
    with fails(ne.RunError, "watch: every is 0; give 'epoch' or a number of presentations from 1"):
        ne.Watch(every=0)
    with fails(ne.UnknownNameError, "no projection named 'q'; there are: p"):
        train(ne.Watch(weights=["q"]))
    text = (
        "watch: projection 'p' has no synapse from neuron 16 to 0; its pre neurons are 0 to 15, its post neurons 0 to 3"
    )
    with fails(ne.RunError, text):
        train(ne.Watch(weights=["p[16, 0]"]))
    with fails(ne.UnknownNameError, "no register that lasts named 'out.v'; there are: none"):
        train(ne.Watch(registers=["out.v"]))


# ---- histograms
def test_histograms_count_every_value_once() -> None:
    whole = histogram("w", np.array([-3, -3, 0, 1, 4]), bins=4)
    assert whole.edges.tolist() == [-3, -1, 1, 3, 5]
    assert whole.counts.tolist() == [2, 1, 1, 1]
    assert whole.blocks == "█▄▄▄"
    real = histogram("r", np.array([0.0, 0.5, 1.0]), bins=2)
    assert real.counts.tolist() == [1, 2]
    assert histogram("none", []).counts.tolist() == [0]
    assert histogram("wide", np.arange(1000)).counts.sum() == 1000
    assert "█▄▄▄" in as_text([as_table((whole,), "projection")])
    assert whole.as_dict() == {"name": "w", "edges": [-3, -1, 1, 3, 5], "counts": [2, 1, 1, 1], "mean": -0.2}


def test_histograms_of_an_image_and_of_what_it_learned() -> None:
    watch = ne.Watch()
    done = train(watch)
    (before,), (after,) = ne.weight_histograms(image()), ne.weight_histograms(image(), done.memory)
    assert before.counts.tolist() == [64]
    assert after.counts.sum() == 64
    assert len(after.counts) > 1
    (rates,) = ne.rate_histograms({"h": np.array([0.5, 2.0, 2.0])})
    assert (rates.name, rates.counts[0], rates.counts[-1]) == ("h", 1, 2)


# ---- warnings
def window(rates: list[float], saturations: dict[str, int] | None = None) -> Window:
    return Window(100, 10, {"out": np.array(rates)}, saturations or {})


def texts(*windows: Window, memory: ne.Memory | None = None, **limits: float) -> list[str]:
    return [str(found) for found in ne.health(image(), memory, *windows, thresholds=ne.Thresholds(**limits))]


def test_every_warning_by_its_text() -> None:
    assert texts(window([1, 1, 2, 1])) == []
    assert texts(window([0, 1, 0, 1])) == [
        "population 'out': 2 of 4 neurons sent no spike in 100 presentations (warned of above 0%); lower their threshold, start "
        "with larger weights, or use fewer neurons"
    ]
    assert texts(window([0, 1, 0, 1]), dead=0.5) == []
    assert texts(window([9, 9, 9, 9])) == [
        "population 'out': 0.90 spikes a neuron and tick (warned of from 0.8, 1 is the most); lower the rate of learning, or raise "
        "the threshold"
    ]
    assert texts(window([4, 4, 4, 4]), window([1, 1, 1, 1])) == [
        "population 'out': 4.0 times the spikes of the window before, 0.400 a neuron and tick (warned of from 3 times); lower the "
        "rate of learning, or raise the threshold"
    ]
    assert texts(window([0.04] * 4), window([0.01] * 4)) == []
    assert texts(window([1] * 4, {"p.w": 1, "out.v": 0})) == [
        "register 'p.w' was cut to its width 1 times in 100 presentations (warned of from 0.01 a presentation); lower what adds up "
        "in it, or give it more bits"
    ]


def test_weights_at_the_registers_limit_and_at_the_rules_own() -> None:
    (projection,) = image().projections
    assert weight_limits(image(), projection) == (-2048, 2047)
    weights = np.arange(64)
    assert texts(window([1] * 4), memory=ne.Memory({"p": weights})) == []
    weights[:4] = 2047
    assert texts(window([1] * 4), memory=ne.Memory({"p": weights})) == [
        "projection 'p': 6% of its weights are at 2,047, the register's limit (warned of from 5%); lower the rate of learning, or "
        "scale the weights down"
    ]
    weights[:4], weights[10:20] = 0, -2000
    (text,) = texts(window([1] * 4), memory=ne.Memory({"p": weights}))
    assert text.startswith("projection 'p': 16% of its weights are at -2,000, the rule's own limit")
    assert texts(window([1] * 4), memory=ne.Memory({"p": np.maximum(weights, 0)})) == [], "many at 0 are only unused"


def test_a_training_ends_with_its_warnings() -> None:
    watch = ne.Watch()
    train(watch)
    assert watch.findings == (), "a read-out that has no spike to send is not dead"
    built = compiled(spikegrad_network((6, 5, 4, 3)))
    run = ne.run(built, ne.stimulus(np.zeros((1, 4, 6), int), {"in": 6}), engine="python")
    seen = ne.window_of(built, run, run)
    assert (seen.presentations, seen.ticks, seen.rates["h1"].tolist()) == (8, run.ticks, [0] * 5)
    assert [(found.kind, found.place) for found in ne.health(built, None, seen)] == [("dead", "h1"), ("dead", "h2")]


# ---- the report
def test_the_report_shows_learning_apart() -> None:
    inputs, labels = task(5, 1)
    told = ne.Stimulus(2, 5, encode(inputs, 0).events, {"out": np.eye(CLASSES, dtype=np.int64)[labels]})
    learned, quiet = (ne.report(ne.run(image(), told, engine="python", plastic=plastic)) for plastic in (True, False))
    parts = learned.as_dict()
    assert parts["weight_updates"] == learned.updates > 0
    assert parts["learning_fj_per_weight_update"] == learned.by_part["learning"] / learned.updates
    apart = [
        line for line in str(learned).splitlines() if line.startswith(("  apart:", "  learning by", "  weight updates"))
    ]
    said = apart[1].removeprefix("  learning by provenance: ")
    assert apart == list(learning_lines(learned.by_part, 5, learned.updates, said))
    assert len(apart) == 3
    assert said.startswith("derived")
    assert sum(learned.learning_by_basis.values()) == learned.by_part["learning"]
    assert parts["learning_by_basis_fj"] == learned.learning_by_basis
    assert "apart" not in str(quiet)
    assert quiet.as_dict()["learning_fj_per_weight_update"] is None


def test_learning_lines_by_hand() -> None:
    assert list(learning_lines({"inference": 3_000_000, "learning": 1_000_000}, 2, 20, "fit 500 pJ (25%)")) == [
        "  apart: inference 1.5 nJ (75%), learning 500 pJ (25%)",
        "  learning by provenance: fit 500 pJ (25%)",
        "  weight updates per inference: 10.0, 50 pJ of learning each",
    ]
    assert list(learning_lines({"inference": 5, "learning": 0}, 1, 0, "")) == []


WATCHES: dict[str, tuple[dict[str, Any], str]] = {
    "stride": ({"stride": 0}, "stride is 0, not a whole number from 1 to 4611686018427387904"),
    "every": ({"every": "x"}, "every is 'x', not a whole number from 1 to 4611686018427387904"),
    "angles": ({"angles": [["a"]]}, "angles[0] is a list of 1, not a list of 2"),
    "thresholds": ({"thresholds": {"dead": 1}}, "thresholds has no 'saturated'"),
    "findings": ({"findings": [1]}, "findings[0] is 1, not a table"),
    "format": ({"format": 2}, "format is 2, not a whole number from 1 to 1"),
}


@pytest.mark.parametrize("kind", WATCHES)
def test_a_foreign_recording_is_refused_by_its_value(tmp_path: Path, kind: str) -> None:
    path, watch = tmp_path / "w.npz", ne.Watch(weights=["p"], every=20)
    train(watch, epochs=1)
    watch.save(path)
    header, arrays = image_parts(path)
    path.write_bytes(packed(header, arrays))
    assert ne.Watch.load(path).presentations.tolist() == [0, 20, 40, 60]
    change, text = WATCHES[kind]
    path.write_bytes(packed(header | change, arrays))
    with fails(ne.FileError, f"{path}: is no recording of a watch, or is damaged ({text}); train again with it"):
        ne.Watch.load(path)
    arrays["presentations"] = arrays["presentations"][::-1]
    path.write_bytes(packed(header, arrays))
    with fails(
        ne.FileError,
        f"{path}: is no recording of a watch, or is damaged (array 'presentations' does not ascend); train again with it",
    ):
        ne.Watch.load(path)
