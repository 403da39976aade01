"""The steps of a deployment, with what the screen shows of them."""

from __future__ import annotations

import warnings
from typing import Any

import neuroemu as ne
from neuroemu.formats import read_arrays, read_labels
from neuroemu.image import Image
from neuroemu.network import Network
from neuroemu.run import Run
from neuroemu.screen import Screen

RUNNING = ("engine", "seed", "workers", "timing", "record")
"""Options that ``ne.run`` takes as they are."""


def read(screen: Screen, path: str, options: dict[str, Any]) -> Network:
    with screen.warnings():
        return ne.read_nir(path, **options)


def build(screen: Screen, network: str, chip: str, options: dict[str, Any]) -> Image:
    compiler = {name: options.pop(name) for name in ("weight_bits", "verbatim", "bias")}
    align, split = not options.pop("no_align"), not options.pop("no_split")
    return ne.compile(read(screen, network, options), ne.load_chip(chip), align=align, split=split, **compiler)


def explanation(
    network: str, image: Image, input_path: str, labels_path: str | None, run: Run, options: dict[str, Any]
) -> Any:
    """Why the run is not what the float network does; the network's warnings were shown when it was compiled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ne.ConventionWarning)
        read = ne.read_nir(network, **options)
    labels = read_labels(labels_path) if labels_path else None
    return ne.explain(read, image, read_arrays(input_path), labels, run=run, engine=run.engine)


def pick_running(options: dict[str, Any]) -> dict[str, Any]:
    """Take out of all options those of ``ne.run``."""
    return {name: options.pop(name) for name in RUNNING}


def execute(screen: Screen, image: Image, inputs: Any, **how: Any) -> Run:
    """Run with progress; ``how`` is what ``ne.run`` takes."""
    with screen.progress() as progress:
        return ne.run(image, inputs, progress=progress, **how)


def run_files(
    screen: Screen, image: Image, input_path: str, labels_path: str | None, how: dict[str, Any]
) -> tuple[Run, float | None]:
    inputs, labels = read_arrays(input_path), read_labels(labels_path) if labels_path else None
    run = execute(screen, image, inputs, **how)
    return run, None if labels is None else run.accuracy(labels)


def save(run: Run, output: str, accuracy: float | None, force: bool) -> None:
    run.save(output, extra={"accuracy": accuracy}, replace=force)
