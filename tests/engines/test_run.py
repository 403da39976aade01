"""What is asked of a run is checked before it starts; what it leaves is saved whole, comes back, and tells two runs apart."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import CASES, Case, firmware
from fails import fails

import neuroemu as ne
from neuroemu.base.errors import FileError, RunError, StimulusError, UnknownNameError
from neuroemu.results.counts import Counts
from neuroemu.results.run import Spikes, stored_accuracy

DAMAGED = "RUN: the run is damaged; run the image again"


def case_of(name: str) -> Case:
    return CASES[name](np.random.default_rng(11))


def run_of(name: str, **options: Any) -> ne.Run:
    case = case_of(name)
    return ne.run(case.image(), case.stimulus(), engine="python", plastic=case.plastic, **options)


@pytest.fixture(scope="module")
def layered() -> ne.Run:
    return run_of("layered")


@pytest.fixture(scope="module")
def graded() -> ne.Run:
    """A run with payloads, probes, weights that moved, and several channels."""
    return run_of("graded", commit_every=2)


# ---- what a run cannot be asked for
ASKED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"engine": "gpu"}, UnknownNameError, "no engine named 'gpu'; did you mean 'cpu'? there are: cpu, event, python"),
    ({"commit_every": 0}, RunError, "commit_every is 0; commit after 1 to 65536 presentations"),
    ({"commit_every": 65537}, RunError, "commit_every is 65537; commit after 1 to 65536 presentations"),
    ({"seed": 2**63}, RunError, "seed is 9223372036854775808; use one from -2**63 to 2**63 - 1"),
    ({"seed": -(2**63) - 1}, RunError, "seed is -9223372036854775809; use one from -2**63 to 2**63 - 1"),
    ({"workers": 0}, RunError, "workers is 0; use at least 1, or None for one a processor"),
]


@pytest.mark.parametrize(("options", "error", "text"), ASKED, ids=[text[:30] for _, _, text in ASKED])
def test_option_is_refused(options: dict[str, Any], error: type[Exception], text: str) -> None:
    case = case_of("layered")
    with fails(error, text):
        ne.run(case.image(), case.inputs, **options)


def test_a_presentation_longer_than_programs_are_proved_for_is_refused() -> None:
    image = case_of("layered").image()
    events = ne.stimulus(np.zeros(((1 << 20) - image.lag + 1, 16), np.uint8), {"in": 16})
    text = "a presentation lasts 1048577 ticks, programs are proved for 1048576; cut the input up"
    with fails(RunError, text):
        ne.run(image, events)


def test_least_options_pass(layered: ne.Run) -> None:
    case = case_of("layered")
    run = ne.run(case.image(), case.inputs, engine="python", commit_every=1, workers=1)
    assert run.differs(layered) is None
    assert len(run.spikes) > 0


def test_stimulus_of_another_network_is_refused() -> None:
    image = case_of("layered").image()
    with fails(StimulusError, "input names 'eye', the network's host inputs are: in; name one of them"):
        ne.run(image, ne.stimulus(np.ones((3, 16), int), {"eye": 16}), engine="python")
    with fails(StimulusError, "input 'in' names neuron 16, the host input has 0..15; correct it"):
        ne.run(image, ne.stimulus(np.ones((3, 17), int), {"in": 17}), engine="python")
    no_input = replace(image, populations=tuple(replace(p, program="lif") for p in image.populations))
    with fails(StimulusError, "input names 'in', the network's host inputs are: none; name one of them"):
        ne.run(no_input, ne.stimulus(np.ones((3, 16), int), {"in": 16}), engine="python")


def test_payload_that_nothing_reads_is_refused() -> None:
    case = case_of("layered")
    with fails(
        StimulusError,
        "input 'in' carries payload 3, projection 'in->hidden' takes every packet as one spike; give 0 and 1, or route the "
        "input as 'weight*payload' on a chip with graded payloads",
    ):
        ne.run(case.image(), case.inputs * 3, engine="python")


def test_input_longer_than_the_phases_is_refused() -> None:
    case = case_of("rivals")
    rows = np.ones((17, 2, 12), int)
    assert ne.run(case.image(), rows[:16], engine="python").ticks == 16
    with fails(StimulusError, "the input has 17 rows, the network's phases last 16 ticks; shorten it"):
        ne.run(case.image(), rows, engine="python")


def test_modulator_without_values_is_refused() -> None:
    case = case_of("graded")
    text = (
        "population 'h' is modulated but the stimulus holds no values of shape (5, 7) for it; give them, or run with "
        "plastic=False"
    )
    with fails(StimulusError, text):
        ne.run(case.image(), case.inputs, engine="python", plastic=True)
    with fails(StimulusError, text):
        events = ne.stimulus(case.inputs, {"in": 9}, values={"h": np.ones((5, 6), int)})
        ne.run(case.image(), events, engine="python", plastic=True)
    assert len(ne.run(case.image(), case.inputs, engine="python").spikes) > 0


@pytest.mark.parametrize("seed", [-(2**63), -1, 2**63 - 1])
def test_extreme_seeds_give_the_same_bits(seed: int) -> None:
    case = case_of("graded")
    runs = [
        ne.run(case.image(), case.stimulus(), engine=engine, seed=seed, plastic=True) for engine in ("python", "cpu")
    ]
    assert runs[0].differs(runs[1]) is None
    assert runs[0].differs(ne.run(case.image(), case.stimulus(), engine="python", seed=0, plastic=True)) is not None


# ---- what a run says
def test_raster_is_the_spikes_by_row(graded: ne.Run) -> None:
    raster = graded.raster("h")
    assert raster.shape == (graded.n, graded.rows, 7)
    layer = graded.layers["h"]
    for presentation, row, neuron in np.argwhere(raster):
        at = graded.spikes.presentation == presentation
        at &= (graded.spikes.tick == row + layer.age) & (graded.spikes.neuron == layer.id0 + neuron)
        assert raster[presentation, row, neuron] in graded.spikes.payload[at]
    assert graded.spike_counts("h").sum() == graded.counts.by_owner("send_spike")["h"] > (raster != 0).sum()
    assert raster.any()
    with fails(UnknownNameError, "no population named 'hh'; did you mean 'h'? there are: in, h"):
        graded.raster("hh")
    with fails(
        UnknownNameError,
        "no channel named 'spik'; did you mean 'spike'? there are: spike, error, probe, inhibit, input, target",
    ):
        graded.raster("h", "spik")


def test_prediction_needs_one_output() -> None:
    run = run_of("delayed")
    assert run.outputs == ("b", "a")
    with fails(
        RunError, "the network has 2 outputs, a prediction needs one; read spike_counts of the populations instead"
    ):
        run.accuracy(np.zeros(run.n))
    with fails(
        RunError, "the network has 0 outputs, a prediction needs one; read spike_counts of the populations instead"
    ):
        _ = replace(run, outputs=()).prediction


def test_accuracy_needs_one_label_a_presentation(layered: ne.Run) -> None:
    assert layered.accuracy(layered.prediction) == 1
    assert layered.accuracy(layered.prediction + 1) == 0
    with fails(RunError, "3 labels for 4 presentations; give one a presentation"):
        layered.accuracy([0, 1, 2])


def test_prediction_of_a_read_out_is_its_largest_value() -> None:
    run = run_of("current_based")
    assert list(run.readout) == ["out"]
    assert np.array_equal(run.prediction, run.readout["out"].argmax(axis=1))


# ---- two runs
def shifted(run: ne.Run, field: str, at: int, by: int) -> Spikes:
    column = getattr(run.spikes, field).copy()
    column[at] += by
    return replace(run.spikes, **{field: column})


def test_first_difference_is_named(layered: ne.Run, graded: ne.Run) -> None:
    assert graded.differs(graded) is None
    assert layered.differs(replace(layered, stimulus_digest="x")) == "the runs had different input"
    s = graded.spikes
    first = f"presentation {s.presentation[0]}, tick {s.tick[0]}, "
    found = graded.differs(replace(graded, spikes=shifted(graded, "payload", 0, 1)))
    assert found is not None
    assert found.startswith(f"packet 0: {first}")
    assert f"payload {s.payload[0]} against {first}" in found
    assert found.endswith(f"payload {s.payload[0] + 1}")
    cut = replace(graded, spikes=Spikes(*(getattr(s, f)[:-1] for f in Spikes.FIELDS)))
    found = graded.differs(cut)
    assert found is not None
    assert found.startswith(f"packet {len(s) - 1}: ")
    assert found.endswith(" against nothing")


def test_runs_of_different_networks_differ_by_that(graded: ne.Run) -> None:
    """The same input may have gone to another network, or to one with fewer synapses."""
    layers = {"in": graded.layers["in"], "g": graded.layers["h"]}
    found = "the runs are of networks with different populations"
    assert graded.differs(replace(graded, layers=layers)) == found
    layers = {"in": graded.layers["in"], "h": replace(graded.layers["h"], shape=(9,))}
    assert graded.differs(replace(graded, layers=layers)) == found
    weights = graded.weights | {"p": graded.weights["p"][1:]}
    n = weights["p"].size
    assert graded.differs(replace(graded, weights=weights)) == f"weights p has shape ({n + 1},) against ({n},)"


@pytest.mark.parametrize("what", ["probes", "state", "weights"])
def test_first_differing_number_is_named(graded: ne.Run, what: str) -> None:
    arrays = dict(getattr(graded, what))
    key = sorted(arrays)[-1]
    arrays[key] = arrays[key].copy()
    arrays[key].flat[-1] += 1
    place = tuple(n - 1 for n in arrays[key].shape)
    number = arrays[key][place]
    assert (
        graded.differs(replace(graded, **{what: arrays})) == f"{what} {key} at {place}: {number - 1} against {number}"
    )


def test_first_differing_count_is_named(graded: ne.Run) -> None:
    where = sorted(graded.counts.table)[0]
    counts = Counts({**graded.counts.table, where: graded.counts.table[where] + 1})
    key, core, owner = where
    n = graded.counts.table[where]
    assert (
        graded.differs(replace(graded, counts=counts))
        == f"count {key} on core {core} of '{owner}': {n} against {n + 1}"
    )
    assert counts != graded.counts


# ---- files
@pytest.mark.parametrize("name", CASES)
def test_run_comes_back(tmp_path: Path, name: str) -> None:
    run = run_of(name)
    run.save(tmp_path / "run", extra={"accuracy": 0.5})
    again = ne.load_run(tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["chip.toml", "run.json", "spikes.npz"]
    assert run.differs(again) is None
    assert again.differs(run) is None
    assert (again.counts, again.spikes) == (run.counts, run.spikes)
    for name_ in ("image_digest", "engine", "chip_text", "ticks", "outputs", "usage", "wall_s", "notes", "time_ps"):
        assert getattr(again, name_) == getattr(run, name_), name_
    assert [(x.id0, x.shape, x.age) for x in again.layers.values()] == [
        (x.id0, x.shape, x.age) for x in run.layers.values()
    ]
    assert again.probes.keys() == run.probes.keys()
    assert stored_accuracy(tmp_path / "run") == 0.5
    assert ne.report(again).total_fj == ne.report(run).total_fj


def test_folder_is_kept_unless_it_is_a_run_to_replace(tmp_path: Path, layered: ne.Run) -> None:
    path = tmp_path / "run"
    path.mkdir()
    (path / "thesis.txt").write_text("dear")
    with fails(FileError, f"{path}: already exists; choose another name, or replace it with replace=True"):
        layered.save(path)
    with fails(FileError, f"{path}: holds no run, so it is not replaced; choose another folder"):
        layered.save(path, replace=True)
    assert [found.name for found in tmp_path.rglob("*")] == ["run", "thesis.txt"]
    layered.save(tmp_path / "other", replace=True)
    layered.save(tmp_path / "other", extra={"accuracy": 1}, replace=True)
    assert stored_accuracy(tmp_path / "other") == 1


def test_stored_accuracy_may_be_absent(tmp_path: Path, layered: ne.Run) -> None:
    layered.save(tmp_path / "run")
    assert stored_accuracy(tmp_path / "run") is None
    assert stored_accuracy(tmp_path) is None


def test_folder_is_no_run(tmp_path: Path) -> None:
    missing = tmp_path / "run"
    with fails(
        FileError, f"{missing}: is not the folder of a run (No such file or directory); make one with `neuroemu run`"
    ):
        ne.load_run(missing)


def without(path: Path, name: str) -> None:
    (path / name).unlink()


def entry(path: Path, **entries: Any) -> None:
    """Change entries of run.json; None takes one out."""
    header = json.loads((path / "run.json").read_text()) | entries
    (path / "run.json").write_text(json.dumps({key: value for key, value in header.items() if value is not None}))


def one_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.arange(3))


OTHER_FORMAT = "RUN: the run is of another format; this neuroemu reads format 1, run the image again"
NO_FILE = "RUN: is not the folder of a run (No such file or directory); make one with `neuroemu run`"
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no header": (lambda path: without(path, "run.json"), NO_FILE),
    "no datasheet": (lambda path: without(path, "chip.toml"), NO_FILE),
    "no arrays": (lambda path: without(path, "spikes.npz"), NO_FILE),
    "header cut": (lambda path: (path / "run.json").write_text("{"), DAMAGED),
    "header not UTF-8": (lambda path: (path / "run.json").write_bytes(b"\xff"), DAMAGED),
    "header nested": (lambda path: (path / "run.json").write_text("[" * 100_000), DAMAGED),
    "header a list": (lambda path: (path / "run.json").write_text("[]"), OTHER_FORMAT),
    "no format": (lambda path: entry(path, format=None), OTHER_FORMAT),
    "format 2": (lambda path: entry(path, format=2), OTHER_FORMAT),
    "no ticks": (lambda path: entry(path, ticks=None), DAMAGED),
    "counts of another kind": (lambda path: entry(path, counts=[["synop", 0, "p", "many"]]), DAMAGED),
    "counts without number": (lambda path: entry(path, counts=[["synop", 0, "p"]]), DAMAGED),
    "layers a number": (lambda path: entry(path, layers=3), DAMAGED),
    "arrays empty": (lambda path: (path / "spikes.npz").write_bytes(b""), DAMAGED),
    "arrays cut": (lambda path: (path / "spikes.npz").write_bytes((path / "spikes.npz").read_bytes()[:-9]), DAMAGED),
    "one array": (lambda path: one_array(path / "spikes.npz"), DAMAGED),
    "no spikes": (lambda path: np.savez(path / "spikes.npz", **{"state.v": np.arange(3)}), DAMAGED),
    "unknown arrays": (lambda path: np.savez(path / "spikes.npz", x=np.arange(3)), DAMAGED),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_run_is_damaged(tmp_path: Path, graded: ne.Run, kind: str) -> None:
    path = tmp_path / "run"
    graded.save(path)
    damage, text = DAMAGES[kind]
    damage(path)
    with fails(FileError, text.replace("RUN", str(path))):
        ne.load_run(path)


def test_saved_run_needs_nothing_it_was_made_from(tmp_path: Path) -> None:
    """A run with a rule and a chip of one's own is loaded and priced after both are gone."""
    chip = ne.load_chip("generic45")
    (tmp_path / "mine.toml").write_text(chip.text.replace('name = "generic45"', 'name = "mine"'))
    shutil.copy(firmware("online"), tmp_path / "online.py")
    case = case_of("online")
    p = case.network.projections[0]
    network = replace(case.network, projections=(replace(p, rule=str(tmp_path / "online.py")),))
    image = ne.compile(network, ne.load_chip(tmp_path / "mine.toml"))
    image.save(tmp_path / "a.image")
    (tmp_path / "mine.toml").unlink()
    (tmp_path / "online.py").unlink()
    image = ne.load_image(tmp_path / "a.image")
    run = ne.run(image, case.stimulus(), engine="python", plastic=True, commit_every=3)
    run.save(tmp_path / "run")
    assert ne.report(ne.load_run(tmp_path / "run")).total_fj == ne.report(run).total_fj > 0
