"""A training as a TOML file: network, chip, rule, data, how long, and what to write. Errors name the key."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from neuroemu import encode
from neuroemu.chip import load_chip
from neuroemu.compiler import compile as compile_image
from neuroemu.dataset import Dataset, load_dataset
from neuroemu.engines import ENGINES
from neuroemu.engines.job import Progress, silent
from neuroemu.errors import NetworkError
from neuroemu.image import Image
from neuroemu.network import LIF, HostInput, Network, Population, Projection
from neuroemu.nir import read_nir
from neuroemu.shelf import read_text, unknown
from neuroemu.train import Training, train
from neuroemu.watch import Watch
from neuroemu.wiring import wire

Positive = Annotated[int, Meta(ge=1)]


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which data set (a name, or a path), and how its values become packets."""

    name: str
    encoder: Literal["ttfs", "rate", "graded"]
    ticks: Positive
    options: dict[str, Any] = {}
    train: Positive | None = None
    """Use only so many training samples."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rule (a name, or the path of a rule file), and its options."""

    name: str
    options: dict[str, Any] = {}


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long, and how: see ``ne.train``."""

    epochs: Positive = 1
    commit_every: Positive = 1
    seed: int = 0
    engine: str = "cpu"
    workers: Positive | None = None
    checkpoint: str | None = None
    every_s: Annotated[float, Meta(ge=0)] = 60.0


class Write(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files to write: the trained image, and the history as .json or .csv."""

    image: str | None = None
    history: str | None = None


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole training. ``network`` is a NIR file; without one, ``layers`` gives the neurons of a feed-forward network."""

    data: Data
    rule: Rule
    chip: str = "atlas"
    network: str | None = None
    layers: list[Positive] = []
    training: Schedule = Schedule()
    write: Write = Write()


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """Read a training's file. Raises FileError, or NetworkError that names the key."""
    try:
        return plan_of(tomllib.loads(read_text(Path(path))), str(path))
    except tomllib.TOMLDecodeError as error:
        raise NetworkError(f"{path}: not TOML: {error}; correct the syntax") from None


def plan_of(raw: Mapping[str, Any], place: str) -> Plan:
    """Check a plan's tables; ``place`` is named in errors."""
    try:
        plan = msgspec.convert(raw, Plan)
    except msgspec.ValidationError as error:
        raise NetworkError(f"{place}: {error}; docs/training.md lists the keys") from None
    if bool(plan.network) == bool(plan.layers):
        raise NetworkError(f"{place}: states {'both' if plan.network else 'neither'} of network and layers; state one")
    if plan.training.engine not in ENGINES:
        raise unknown(f"engine ({place})", plan.training.engine, ENGINES)
    return plan


def network_of(plan: Plan, samples: Dataset) -> Network:
    """The network before the rule is wired: a NIR file's, or layers without weights."""
    if plan.network:
        return read_nir(plan.network)
    n_in = int(np.prod(samples.shape))
    sizes = [n_in, *plan.layers]
    if sizes[-1] != samples.n_classes:
        raise NetworkError(
            f"layers end with {sizes[-1]} neurons, data set '{samples.name}' has {samples.n_classes} classes; end with one neuron a class"
        )
    names = ["input", *(f"hidden{k + 1}" for k in range(len(sizes) - 2)), "output"]
    populations = [
        Population(name, n, HostInput() if name == "input" else LIF(tau=1e-2))
        for name, n in zip(names, sizes, strict=True)
    ]
    projections = [
        Projection(a, b, np.zeros((m, n)), f"w{k + 1}")
        for k, (a, b, m, n) in enumerate(zip(names, names[1:], sizes, sizes[1:], strict=False))
    ]
    return Network(tuple(populations), tuple(projections), ("output",))


def encoder_of(plan: Plan, samples: Dataset, network: Network) -> Any:
    """The encoder with everything given but the values and the first presentation."""
    hosts = [population.name for population in network.populations if isinstance(population.neuron, HostInput)]
    given: dict[str, Any] = {"ticks": plan.data.ticks, "top": samples.top, "name": hosts[0], **plan.data.options}
    if plan.data.encoder == "rate":
        given.setdefault("seed", plan.training.seed)
    function = partial(getattr(encode, plan.data.encoder), **given)
    return lambda values, first: function(values, first=first)


def follow(plan: Plan, progress: Progress = silent, watch: Watch | None = None) -> tuple[Training, Image]:
    """Do what the plan says, files apart. Returns the training and the image it began with."""
    samples, test = load_dataset(plan.data.name)
    if plan.data.train is not None:
        samples = samples.take(np.arange(min(plan.data.train, len(samples))))
    network = wire(network_of(plan, samples), plan.rule.name, **plan.rule.options)
    output = network.outputs[0]
    registers = [register for name, register in network.probes if name == output]
    if not registers:
        raise NetworkError(
            f"rule '{plan.rule.name}' probes no register of population '{output}'; nothing can be read out"
        )
    image = compile_image(network, load_chip(plan.chip), align=False)
    encoder, how = encoder_of(plan, samples, network), plan.training
    done = train(
        image, samples.inputs, samples.labels, encode=encoder, output=output, readout=(output, registers[0]), epochs=how.epochs,
        test=(test.inputs, test.labels), commit_every=how.commit_every, engine=how.engine, workers=how.workers, seed=how.seed,
        checkpoint=how.checkpoint, every_s=how.every_s, progress=progress, watch=watch,
    )  # fmt: skip
    return done, image
