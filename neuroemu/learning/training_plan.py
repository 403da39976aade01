"""A training as a TOML file: network, chip, rule, data, how long, and what to write. Errors name the key."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from neuroemu.base.errors import NetworkError, NeuroemuError
from neuroemu.base.files import writable_file
from neuroemu.base.schema import in_words
from neuroemu.base.shelf import read_text, unknown
from neuroemu.chip.chip import load_chip
from neuroemu.compiler.compile import compile as compile_image
from neuroemu.engines.job import Progress, silent
from neuroemu.engines.run import ENGINES
from neuroemu.learning.dataset import Dataset, load_dataset
from neuroemu.learning.learned import learned
from neuroemu.learning.samples import VOTE, encoder, output_of, plain, readout_of
from neuroemu.learning.schedule import check_schedule, freeze
from neuroemu.learning.train import train
from neuroemu.learning.training import Training
from neuroemu.learning.watch import Watch
from neuroemu.network.network import LIF, HostInput, Network, Population, Projection
from neuroemu.network.wiring import wire
from neuroemu.nir.read import read_nir

Positive = Annotated[int, Meta(ge=1)]


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which data set (a name, or a path), and how its values become packets."""

    name: str
    encoder: str | None = None
    ticks: Positive | None = None
    options: dict[str, Any] = {}
    train: Positive | None = None
    """Use only so many training samples."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rule (a name, or the path of a rule file), and its options."""

    name: str
    options: dict[str, Any] = {}


class How(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long, and how: see ``ne.train``."""

    epochs: Positive = 1
    commit_every: Positive = 1
    lanes: Positive | None = None
    seed: int = 0
    engine: str = "cpu"
    workers: Positive | None = None
    readout: str | None = None
    frozen: list[str] = []
    patience: Positive | None = None
    checkpoint: str | None = None
    every_s: Annotated[float, Meta(ge=0)] = 60.0


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to record while it learns: see ``ne.Watch``. ``angles`` are pairs of a feedback projection and a forward one."""

    weights: list[str] = []
    registers: list[str] = []
    angles: list[tuple[str, str]] = []
    every: Positive | Literal["epoch"] = "epoch"


class Write(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files to write: the trained image, the trained network as NIR, the history as .json or .csv, and what was watched as .npz."""

    image: str | None = None
    network: str | None = None
    history: str | None = None
    watch: str | None = None


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole training. ``network`` is a NIR file; without one, ``layers`` gives the neurons of a feed-forward network."""

    data: Data
    rule: Rule
    chip: str = "atlas"
    assume: list[str] = []
    """Features of the rule unit that no source states for the chip, taken as there."""
    network: str | None = None
    layers: list[Positive] = []
    training: How = How()
    schedule: dict[str, Any] = {}
    """By ``owner.parameter``, quoted or as tables of tables: values by epoch."""
    watch: Record = Record()
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
        raise NetworkError(f"{place}: {in_words(str(error))}; docs/training.md lists the keys") from None
    if plan.network and plan.layers:
        raise NetworkError(f"{place}: states both network and layers; leave out one")
    if not plan.network and not plan.layers:
        raise NetworkError(f"{place}: states neither network nor layers; state one")
    schedule_of(plan.schedule, place)
    how = plan.training
    if how.lanes is not None and how.lanes > how.commit_every:
        raise NetworkError(
            f"{place}: training.lanes is {how.lanes}, training.commit_every {how.commit_every}; what runs side by side is committed "
            f"together, use 1 to {how.commit_every}"
        )
    if plan.training.engine not in ENGINES:
        raise unknown(f"engine ({place})", plan.training.engine, ENGINES)
    return plan


def schedule_of(raw: Mapping[str, Any], place: str) -> dict[str, dict[int, int | list[int]]]:
    """A schedule with epochs as numbers: TOML's keys are strings, and ``w1.rate`` without quotes is a table in a table."""
    flat: dict[str, Any] = {}
    for name, values in raw.items():
        if isinstance(values, dict) and values and all(isinstance(value, dict) for value in values.values()):
            flat |= {f"{name}.{parameter}": inner for parameter, inner in values.items()}
        else:
            flat[name] = values
    try:
        return msgspec.convert(flat, dict[str, dict[int, int | list[int]]], str_keys=True)
    except msgspec.ValidationError as error:
        raise NetworkError(
            f'{place}: schedule: {in_words(str(error))}; write for example "w1.rate" = {{ 0 = 16, 4 = 17 }}, values by epoch'
        ) from None


def network_of(plan: Plan, samples: Dataset) -> Network:
    """The network before the rule is wired: a NIR file's, or layers without weights."""
    if plan.network:
        return read_nir(plan.network)
    sizes = [int(np.prod(samples.shape)), *plan.layers]
    names = ["input", *(f"hidden{k + 1}" for k in range(len(sizes) - 2)), "output"]
    populations = [
        Population(name, n, HostInput() if name == "input" else LIF(tau=1e-2, r=100.0))
        for name, n in zip(names, sizes, strict=True)
    ]
    projections = [
        Projection(a, b, np.zeros((m, n)), f"w{k + 1}")
        for k, (a, b, m, n) in enumerate(zip(names, names[1:], sizes, sizes[1:], strict=False))
    ]
    return Network(tuple(populations), tuple(projections), ("output",))


def wired(plan: Plan, samples: Dataset) -> Network:
    """The network with the rule. An output that is told labels has one neuron a class."""
    network = wire(network_of(plan, samples), plan.rule.name, **plan.rule.options)
    for modulator in network.modulators:
        n = network.population(modulator.population).n
        if plan.layers and modulator.population in network.outputs and n != samples.n_classes:
            raise NetworkError(
                f"layers end with {n} neurons, data set '{samples.name}' has {samples.n_classes} classes; end with one neuron a class"
            )
    return network


def follow(
    plan: Plan, progress: Progress = silent, place: str = "plan", watch: Watch | None = None
) -> tuple[Training, Network]:
    """Do what the plan says, files to write apart. Returns the training and the network it began with, rule wired.

    ``place`` is named in errors. Raises what reading, wiring, compiling and training raise.
    """
    for path in (plan.write.image, plan.write.network, plan.write.history, plan.write.watch, plan.training.checkpoint):
        if path:
            writable_file(Path(path), replace=True)
    samples, test = load_dataset(plan.data.name)
    if plan.data.train is not None:
        samples = samples.take(np.arange(min(plan.data.train, len(samples))))
    network = wired(plan, samples)
    image = compile_image(network, load_chip(plan.chip), assume=plan.assume)
    if plan.write.network:
        learned(network, image)  # what NIR cannot hold is better known before than after the training
    data, how, schedule = plan.data, plan.training, schedule_of(plan.schedule, place)
    try:
        check_schedule(image, schedule)
        freeze(image, how.frozen)
    except NeuroemuError as error:
        raise type(error)(f"{place}: {error}") from None
    vote = readout_of(image, output_of(image, None), how.readout) == VOTE
    encode = encoder(
        image, plain(samples), data.encoder, ticks=data.ticks, options=data.options, seed=how.seed, vote=vote
    )
    done = train(
        image, samples, epochs=how.epochs, test=test, commit_every=how.commit_every, lanes=how.lanes, engine=how.engine,
        workers=how.workers, seed=how.seed, encode=encode, readout=how.readout, schedule=schedule,
        frozen=how.frozen, patience=how.patience, checkpoint=how.checkpoint, every_s=how.every_s, progress=progress, watch=watch,
    )  # fmt: skip
    return done, network
