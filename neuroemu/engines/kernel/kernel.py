"""Write the kernel of a batch: one self-contained source file for a network's shape and programs (docs/design.md, the kernel).

Loops, loads, calls and stores only: the arithmetic is the programs', included as text. The stages of a tick stand in the
kernel under their names.
"""

from __future__ import annotations

from neuroemu.engines.kernel.kernel_function import FunctionWriter
from neuroemu.engines.kernel.kernel_record import record_source
from neuroemu.engines.kernel.kernel_run import RunFunction
from neuroemu.engines.kernel.layout import Layout
from neuroemu.language.machine import COMMIT_TICK, beats, contest, dendrite, viewed, winner
from neuroemu.language.program import CALLEE, helper_source, library_source, plain_source


def generate(layout: Layout) -> tuple[str, list[str], list[str]]:
    """Source of a job's kernel, and the names of the arguments of its functions ``run`` and ``commit``."""
    run = RunFunction(layout)
    run.write()
    commit = _Commit(layout)
    if layout.job.plastic and not layout.immediate:
        commit.write()
    parts = [
        '"""Written by neuroemu.engines.kernel for one network shape; its name is a digest of the text."""',
        "import numpy as np\nfrom numba import int32 as i4\nfrom numba import njit",
        *library_source(),
        f"{CALLEE}\n{plain_source(dendrite)}",
        *(f"{CALLEE}\n{plain_source(function)}" for function in (beats, winner, contest)),
        *([f"{CALLEE}\n{plain_source(viewed)}"] if any(p.projection.view for p in layout.projections) else []),
        *_helpers(layout),
        record_source(),
        run.source("run"),
        *([commit.source("commit")] if commit.w.lines else []),
    ]
    return "\n\n".join(parts) + "\n", list(run.w.arguments), list(commit.w.arguments)


def _helpers(layout: Layout) -> list[str]:
    sources = []
    for owner in layout.owners.values():
        sources += [source for source in helper_source(owner.program) if source not in sources]
    return sources


class _Commit(FunctionWriter):
    """Hooks commit and commit_synapse of a batch of presentations, then the sums start again."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.fixed = ("seed", "number", "batch")

    def write(self) -> None:
        w = self.w
        w.depth = 1
        if self.layout.keyed:
            w(f"commit_base = tick_key(u64(i64(seed)), u64(number), u64({COMMIT_TICK}))")
        self.commit()
        w("return 0")
