"""The steps of a deployment, with what the screen shows of them."""

from __future__ import annotations

from typing import Any

import neuroemu as ne
from neuroemu.formats import read_arrays, read_labels
from neuroemu.image import Image
from neuroemu.network import Network
from neuroemu.run import Run
from neuroemu.screen import Screen


def read(screen: Screen, path: str, options: dict[str, Any]) -> Network:
    with screen.warnings():
        return ne.read_nir(path, **options)


def build(screen: Screen, network: str, chip: str, options: dict[str, Any]) -> Image:
    compiler = {name: options.pop(name) for name in ("weight_bits", "verbatim", "bias")}
    align, split = not options.pop("no_align"), not options.pop("no_split")
    return ne.compile(read(screen, network, options), ne.load_chip(chip), align=align, split=split, **compiler)


def execute(
    screen: Screen, image: Image, inputs: Any, engine: str, seed: int, workers: int | None, record: str | None = None
) -> Run:
    with screen.progress() as progress:
        return ne.run(image, inputs, engine=engine, seed=seed, workers=workers, progress=progress, record=record)


def run_files(
    screen: Screen,
    image: Image,
    input_path: str,
    labels_path: str | None,
    engine: str,
    seed: int,
    workers: int | None,
    record: str | None = None,
) -> tuple[Run, float | None]:
    inputs, labels = read_arrays(input_path), read_labels(labels_path) if labels_path else None
    run = execute(screen, image, inputs, engine, seed, workers, record)
    return run, None if labels is None else run.accuracy(labels)


def save(run: Run, output: str, accuracy: float | None, force: bool) -> None:
    run.save(output, extra={"accuracy": accuracy}, replace=force)
