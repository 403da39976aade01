"""run: an image, a stimulus and an engine. Every engine gives the same bits."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.errors import RunError, StimulusError
from neuroemu.base.shelf import unknown
from neuroemu.chip.aer import PAYLOAD_BITS
from neuroemu.engines.available import ENGINES, available_engines
from neuroemu.engines.footprint import check_footprint
from neuroemu.engines.job import Job, Outcome, Progress, longest, silent
from neuroemu.engines.tick_events import crowded
from neuroemu.image.image import Image
from neuroemu.image.memory import Memory, check_memory, remembered, unchanged
from neuroemu.language.isa import MAX_BATCH, MAX_TICKS
from neuroemu.network.integers import integer
from neuroemu.network.stimulus import Stimulus, no_ticks_beside, silence, stimulus
from neuroemu.results.packets import header_of, recorder
from neuroemu.results.recording import Header
from neuroemu.results.run import Layer, Run

Inputs = Stimulus | ArrayLike | Mapping[str, ArrayLike]
"""A Stimulus, an array for the only host input, or arrays by host input."""


def host_sizes(image: Image) -> dict[str, int]:
    """Neurons of every host input."""
    return {population.name: population.n for population in image.populations if population.is_host}


def as_stimulus(image: Image, inputs: Inputs | None, ticks: int | None = None) -> Stimulus:
    """Events for the image's host inputs from a Stimulus, one array (for a network with one input) or one array an input.

    Without input: none for so many ticks. Raises StimulusError.
    """
    if inputs is None:
        return silence(ticks, host_sizes(image))
    no_ticks_beside(ticks)
    return inputs if isinstance(inputs, Stimulus) else stimulus(inputs, host_sizes(image))


def run(
    image: Image,
    inputs: Inputs | None = None,
    *,
    ticks: int | None = None,
    engine: str = "cpu",
    seed: int = 0,
    plastic: bool = False,
    commit_every: int = 1,
    workers: int | None = None,
    timing: Literal["twin"] | None = None,
    start: Memory | None = None,
    progress: Progress = silent,
    record: str | os.PathLike[str] | None = None,
) -> Run:
    """Run an image.

    ``inputs`` is an array of shape (rows, neurons...) or (rows, presentations, neurons...), a dictionary of such, or a
    Stimulus. Without, the host sends nothing for ``ticks`` rows of one presentation: for networks that drive themselves.

    With ``plastic`` the rules run, and weights change after every ``commit_every`` presentations; without, learning hooks, commits,
    modulators and learning phases are skipped. ``workers`` (threads of engine ``cpu``) never changes a bit.
    ``start`` is what the chip remembers from an earlier run (Run.memory); by default nothing but the image.
    ``timing="twin"`` times what any engine recorded, tick by tick, as engine ``event`` does while it runs.
    ``progress`` is told how far the run is. ``record`` names a file for every packet, the same bytes from every
    engine; an earlier recording there is replaced, another file is not.

    Raises UnknownNameError, StimulusError, RunError, FileError.
    """
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if (reason := available_engines()[engine]) is not None:
        raise RunError(reason)
    commit_every, seed = integer(commit_every, "commit_every", RunError), integer(seed, "seed", RunError)
    plastic = bool(plastic)
    if not 1 <= commit_every <= MAX_BATCH:
        raise RunError(f"commit_every is {commit_every}; commit after 1 to {MAX_BATCH} presentations")
    if timing not in (None, "twin"):
        raise unknown("timing", timing, ["twin"])
    if workers is not None and workers < 1:
        raise RunError(f"workers is {workers}; use at least 1, or None for one a processor")
    if not -(1 << 63) <= seed < 1 << 63:
        raise RunError(f"seed is {seed}; use one from -2**63 to 2**63 - 1")
    events = as_stimulus(image, inputs, ticks)
    job = Job(image, events, seed, plastic, commit_every, workers or os.cpu_count() or 1, progress, start or Memory())
    check_memory(image, job.start)
    check(job)
    with recorder(record, lambda: _header(job), image, events) as keep:
        begun = time.perf_counter()
        outcome = _outcome(job, engine, timing)
        done = _as_run(job, engine, outcome, time.perf_counter() - begun)
        keep(outcome.spikes)
    return done


def _outcome(job: Job, engine: str, timing: str | None) -> Outcome:
    """What the engine saw. Raises RunError also where memory runs out, which only a run's packets can still bring about."""
    module = importlib.import_module(f"neuroemu.engines.{ENGINES[engine].module}")
    try:
        outcome: Outcome = module.run(job)
        if timing is not None:
            from neuroemu.engines.noc.clock import time_recorded

            outcome.timing = time_recorded(job, outcome.spikes, outcome.lengths)
        return outcome
    except MemoryError:
        raise RunError(
            f"{job.stimulus.n} presentations of {job.ticks} ticks do not fit in memory with their packets and probes; "
            "run fewer presentations at a time, shorten them, or probe less"
        ) from None


def _header(job: Job) -> Header:
    return header_of(
        job.image,
        job.stimulus,
        seed=job.seed,
        plastic=job.plastic,
        commit_every=job.commit_every,
        ticks=job.ticks,
    )


def check(job: Job) -> None:
    """Whether the stimulus suits the image. Raises StimulusError, RunError."""
    image, events = job.image, job.stimulus
    sizes = host_sizes(image)
    for name, part in events.events.items():
        if name not in sizes:
            raise StimulusError(
                f"input names '{name}', the network's host inputs are: {', '.join(sizes) or 'none'}; name one of them"
            )
        if part.neuron.size and int(part.neuron.max()) >= sizes[name]:
            raise StimulusError(
                f"input '{name}' names neuron {part.neuron.max()}, the host input has 0..{sizes[name] - 1}; correct it"
            )
        if part.payload.size and np.any(part.payload != 1):
            check_payload(image, name, part.payload)
    if job.ticks > MAX_TICKS:
        raise RunError(f"a presentation lasts {job.ticks} ticks, programs are proved for {MAX_TICKS}; cut the input up")
    check_footprint(job)
    if events.rows > job.ticks:
        raise StimulusError(
            f"the input has {events.rows} rows, the network's phases last {job.ticks} ticks; shorten it"
        )
    for number in {number for numbers in job.modulations.values() for number in numbers}:
        population = image.populations[number]
        given = events.values.get(population.name)
        if given is None or given.shape != (events.n, population.n):
            raise StimulusError(
                f"population '{population.name}' is modulated but the stimulus holds no values of shape "
                f"({events.n}, {population.n}) for it; give them, or run with plastic=False"
            )


def check_payload(image: Image, name: str, payload: np.ndarray[tuple[int], np.dtype[np.int32]]) -> None:
    """A payload that nothing reads would be lost without a word; one that the chip cannot carry is refused."""
    bits = image.chip.payload_bits
    half = 1 << ((bits or PAYLOAD_BITS) - 1)
    wide = payload[(payload < -half) | (payload >= half)]
    if wide.size:
        raise StimulusError(
            f"input '{name}' carries payload {wide[0]}, a payload of {image.chip.name} has {bits} bits, {-half}..{half - 1} "
            f"({image.chip.source('payload')}); scale it down, or choose a chip with wider ones, such as generic45"
        )
    number = [population.name for population in image.populations].index(name)
    for projection in image.projections:
        ports = projection.routes.get("input", ()) if projection.pre == number else ()
        rule = image.program_of(projection) if projection.pre == number else None
        if rule is None and ports and all(mode == "weight" for _, mode in ports):
            bad = payload[payload != 1][0]
            raise StimulusError(
                f"input '{name}' carries payload {bad}, projection '{projection.name}' takes every packet as one spike; give 0 and 1, "
                "or route the input as 'weight*payload' on a chip with graded payloads"
            )


def _as_run(job: Job, engine: str, outcome: Outcome, wall_s: float) -> Run:
    image, commits = job.image, len(job.batches()) if job.plastic else 0
    memory = remembered(image, outcome.weights, outcome.state, job.start.commits + commits)
    return Run(
        image_digest=image.digest,
        stimulus_digest=job.stimulus.digest,
        engine=engine,
        chip_text=image.chip_text,
        chip_path=image.chip_path,
        seed=job.seed,
        rows=job.stimulus.rows,
        ticks=longest(job.ticks, outcome.lengths),
        lengths=outcome.lengths,
        lag=image.lag,
        n=job.stimulus.n,
        n_cores=image.n_cores,
        n_tiles=image.n_tiles,
        layers={p.name: Layer(p.id0, p.shape, p.age) for p in image.populations},
        outputs=tuple(image.populations[number].name for number in image.outputs),
        usage=image.usage,
        counts=outcome.counts,
        spikes=outcome.spikes,
        probes=outcome.probes,
        readout=outcome.readout,
        state=outcome.state,
        weights=outcome.weights,
        memory=memory if job.plastic else unchanged(image, memory, job.start),
        timing=outcome.timing,
        wall_s=round(wall_s - outcome.compile_s, 6),
        compile_s=round(outcome.compile_s, 6),
        notes=(*image.notes, *crowded(job, outcome.spikes, outcome.lengths)),
    )
