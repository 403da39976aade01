"""Engine ``cpu``: the generated Numba kernel, presentations spread over threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.engines.compiled import Arguments, Kernel, compiled, types_of
from neuroemu.engines.job import Job, Outcome, timed_out
from neuroemu.engines.kernel.kernel import generate
from neuroemu.engines.kernel.kernel_arrays import KernelArrays
from neuroemu.engines.kernel.kernel_results import Results
from neuroemu.engines.kernel.layout import Layout
from neuroemu.engines.threads import StopFlag, Stopped, attended, side_by_side
from neuroemu.image.prepared import prepared
from neuroemu.results.run import Spikes

RECORD = 1 << 20
"""Packets a worker's record has room for at first, 20 MiB; a kernel that needs more makes it longer."""
CHUNKS = 16
"""Calls a worker's presentations are spread over, for progress."""


@dataclass
class Written:
    """The text of an image's kernel, the names of its functions' arguments, and the kernels compiled from it, by compiler and types."""

    text: str
    run_names: list[str]
    commit_names: list[str]
    kernels: dict[tuple[Any, ...], Kernel]


def run(job: Job) -> Outcome:
    """Compile or load the kernel, run all presentations, collect what it counted."""
    batch = _Batch(job)
    start = time.perf_counter()
    batch.compile()
    compile_s = time.perf_counter() - start
    batch.heard(0)
    attended(batch.run, batch.stop, batch.heard)
    return Results(job, batch.arrays, batch.commits - job.start.commits).outcome(batch.records, compile_s)


def _written(job: Job, layout: Layout) -> Written:
    """The text of the job's kernel, written once for an image; what is held here keeps kernels in memory."""
    return prepared(job.image).once(("kernel", job.plastic, layout.immediate), lambda: Written(*generate(layout), {}))


class _Batch:
    """The presentations of a job, on their way through the kernel."""

    def __init__(self, job: Job) -> None:
        self.job, self.layout = job, Layout(job)
        most = min(job.stimulus.n, job.commit_every) if job.plastic else job.stimulus.n
        self.n_workers = 1 if job.sequential else max(1, min(job.workers, most))
        self.arrays = KernelArrays(job, self.layout, self.n_workers)
        self.stop = StopFlag()
        self.records: list[NDArray[np.int32]] = []
        self.timed_out: list[tuple[int, int]] = []
        """Presentations that were not quiet in time, and the place of the phase."""
        self.commits = job.start.commits
        self.apart = job.plastic and not self.layout.immediate
        """Whether commits are made between calls of the kernel."""
        self.done = 0

    def compile(self) -> None:
        """Get the kernel for the types of this job's arrays."""
        self.job.progress("compiling the kernel", 0, 1)
        self.written = _written(self.job, self.layout)
        wanted: Arguments = {"run": self.arguments(0, 0, 0, self.record(0))}
        if self.apart:
            wanted = {**wanted, "commit": (self.job.seed, 0, 1, *self.commit_values())}
        types = tuple(types_of(values) for values in wanted.values())
        kernels, key = self.written.kernels, (compiled, types)  # tests put others in the place of the compiler
        if key not in kernels:
            kernels[key] = compiled(self.written.text, types, lambda _module: wanted)
        self.kernel = kernels[key]

    def heard(self, done: int) -> None:
        """Some presentations more are done, by whichever worker: tell how many that makes."""
        self.done += done
        self.job.progress("running", self.done, self.job.stimulus.n)

    # ---- on a thread of its own
    def run(self, tell: Callable[[int], None]) -> None:
        """All presentations, with the commits between them."""
        for low, high in self.job.batches() if self.apart else [(0, self.job.stimulus.n)]:
            self.batch(low, high, tell)
            if self.apart:
                self.arrays.merge_sums()
                self.kernel.commit(self.job.seed, self.commits, high - low, *self.commit_values())
                self.commits += 1
        if self.layout.immediate:
            self.commits += self.job.stimulus.n

    def batch(self, low: int, high: int, tell: Callable[[int], None]) -> None:
        """Presentations low to high - 1, spread over the workers."""
        bounds = [low + (high - low) * k // self.n_workers for k in range(self.n_workers + 1)]
        side_by_side([partial(self.call, k, bounds[k], bounds[k + 1], tell) for k in range(self.n_workers)], self.stop)
        if self.timed_out:
            presentation, place = min(self.timed_out)
            raise timed_out(self.job.stimulus.first + presentation, self.job.phases[place])

    def call(self, worker: int, low: int, high: int, tell: Callable[[int], None]) -> None:
        """Presentations low to high - 1 on this thread, the record handed over after every call of the kernel."""
        record, step = self.record(high - low), max(1, (high - low) // CHUNKS)
        while low < high:
            begun = low
            low, length, record = self.kernel.run(*self.arguments(worker, low, min(low + step, high), record))
            if low < 0:
                raise Stopped
            if length < 0:
                self.timed_out.append((low, -1 - length))
                return
            if length:
                self.records.append(record[:, :length].copy())
            tell(low - begun)

    def record(self, n: int) -> NDArray[np.int32]:
        """Room for the packets of ``n`` presentations, if there are not too many."""
        return np.empty((len(Spikes.FIELDS), min(RECORD, self.layout.most_a_tick * self.job.ticks * n)), np.int32)

    def arguments(self, worker: int, low: int, high: int, record: NDArray[np.int32]) -> list[Any]:
        """The arguments of the kernel's function ``run``."""
        phases = np.array([(p.number, p.ticks, p.until_quiet, p.learning) for p in self.job.phases], np.int64)
        stimulus, values = self.job.stimulus, self.arrays.values(worker)
        fixed = (
            low,
            high,
            stimulus.first,
            stimulus.rows,
            self.job.seed,
            phases,
            self.stop.flag,
            record,
            0,
            self.commits,
        )
        return [*fixed, *(values[name] for name in self.written.run_names)]

    def commit_values(self) -> list[Any]:
        """The arrays of the kernel's function ``commit``."""
        values = self.arrays.workers[0] | self.arrays.shared
        return [values[name] for name in self.written.commit_names]
