"""The steps of a deployment, with what the screen shows of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import neuroemu as ne
from neuroemu.base.errors import FileError, RunError
from neuroemu.base.files import writable_file
from neuroemu.base.formats import read_arrays, read_labels
from neuroemu.cli.options import assumed, one_of_input_and_ticks
from neuroemu.cli.screen import Screen
from neuroemu.engines.run import as_stimulus
from neuroemu.image.image import Image
from neuroemu.inspect.recorded import recorded
from neuroemu.inspect.score import Score, held_against
from neuroemu.network.network import Network
from neuroemu.results.recording import writable_recording
from neuroemu.results.run import Run, writable_run


@dataclass(frozen=True, eq=False)
class Given:
    """Input and labels, as read."""

    inputs: NDArray[Any] | dict[str, NDArray[Any]] | None
    ticks: int | None
    """Without input."""
    labels: NDArray[np.int64] | None


RUNNING = ("engine", "seed", "workers", "timing", "record")
"""Options that ``ne.run`` takes as they are."""


def read(screen: Screen, path: str, options: dict[str, Any]) -> Network:
    with screen.warnings():
        return read_file(path, options)


def read_file(path: str, options: dict[str, Any]) -> Network:
    """A NIR file under the conventions of the options, or a .net file of lava-dl, which has its own. Raises RunError for both."""
    if Path(path).suffix != ".net":
        return ne.read_nir(path, **options)
    for name, value in options.items():
        if value not in (None, False):
            raise RunError(
                f"{path}: --{name.replace('_', '-')} says what a NIR file leaves open; a .net file states it, leave the option out"
            )
    return ne.read_lava_dl(path)


def build(screen: Screen, network: str, chip: str, options: dict[str, Any]) -> Image:
    compiler = {name: options.pop(name) for name in ("weight_bits", "verbatim", "bias")}
    compiler["assume"] = assumed(options.pop("assume"))
    align, split = not options.pop("no_align"), not options.pop("no_split")
    return ne.compile(read(screen, network, options), ne.load_chip(chip), align=align, split=split, **compiler)


def explanation(network: str, image: Image, given: Given, run: Run, options: dict[str, Any]) -> Any:
    """Why the run is not what the float network does; the network's warnings were shown when it was compiled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ne.ConventionWarning)
        read = read_file(network, options)
    return ne.explain(read, image, given.inputs, given.labels, ticks=given.ticks, run=run, engine=run.engine)


def expectation(network: str, run: Run, expect_path: str, options: dict[str, Any]) -> Score:
    """How the run's spikes stand against those that another framework recorded. Raises FileError, StimulusError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ne.ConventionWarning)
        read = read_file(network, options)
    spikes = recorded(read, read_arrays(expect_path), (run.rows, run.n))
    return held_against({name: (run.raster(name) != 0).astype(np.int64) for name in spikes}, spikes)


def pick_running(options: dict[str, Any]) -> dict[str, Any]:
    """Take out of all options those of ``ne.run``."""
    return {name: options.pop(name) for name in RUNNING}


def execute(screen: Screen, image: Image, inputs: Any, **how: Any) -> Run:
    """Run with progress; ``how`` is what ``ne.run`` takes."""
    with screen.progress() as progress:
        return ne.run(image, inputs, progress=progress, **how)


def outputs(force: bool, *files: str | None, run: str | None = None, record: str | None = None) -> None:
    """Whether every output can be written, asked before any work: what is there already is replaced with --force only.

    Raises FileError.
    """
    named = [Path(path) for path in (*files, run, record) if path]
    for path in {path for path in named if named.count(path) > 1}:
        raise FileError(f"{path}: is the name of two outputs; give each its own")
    for file in files:
        if file:
            writable_file(Path(file), replace=force)
    if run:
        writable_run(Path(run), replace=force)
    if record:
        writable_recording(Path(record), replace=force)


def given(input_path: str | None, ticks: int | None, labels_path: str | None) -> Given:
    """What the user gave, read. Raises FileError."""
    one_of_input_and_ticks(input_path, ticks)
    inputs = None if input_path is None else read_arrays(input_path)
    return Given(inputs, ticks, read_labels(labels_path) if labels_path else None)


def run_given(screen: Screen, image: Image, given: Given, how: dict[str, Any]) -> tuple[Run, float | None]:
    """Run on what was given; labels are counted before the run."""
    events = as_stimulus(image, given.inputs, given.ticks)
    if given.labels is None:
        return execute(screen, image, events, **how), None
    if given.labels.size != events.n:
        raise RunError(
            f"{given.labels.size} labels for {events.n} presentations; give one a presentation, the input's second axis"
        )
    run = execute(screen, image, events, **how)
    return run, run.accuracy(given.labels)


def save(run: Run, output: str, accuracy: float | None, force: bool) -> None:
    run.save(output, extra={"accuracy": accuracy}, replace=force)
