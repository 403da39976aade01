"""Write the kernel of a batch: one self-contained source file for a network's shape and programs (docs/design.md, the kernel).

Loops, loads, calls and stores only: the arithmetic is the programs', included as text. The stages of a tick stand in the
kernel under their names.
"""

from __future__ import annotations

from neuroemu.engines.kernel.kernel_function import Function
from neuroemu.engines.kernel.kernel_record import record_source
from neuroemu.engines.kernel.kernel_run import RunFunction
from neuroemu.engines.kernel.plan import Plan
from neuroemu.language.machine import COMMIT_TICK, beats, contest, dendrite, viewed, winner
from neuroemu.language.program import CALLEE, helper_source, library_source, plain_source


def generate(plan: Plan) -> tuple[str, list[str], list[str]]:
    """Source of a job's kernel, and the names of the arguments of its functions ``run`` and ``commit``."""
    run = RunFunction(plan)
    run.write()
    commit = _Commit(plan)
    if plan.job.plastic and not plan.immediate:
        commit.write()
    parts = [
        '"""Written by neuroemu.engines.kernel for one network shape; its name is a digest of the text."""',
        "import numpy as np\nfrom numba import int32 as i4\nfrom numba import njit",
        *library_source(),
        f"{CALLEE}\n{plain_source(dendrite)}",
        *(f"{CALLEE}\n{plain_source(function)}" for function in (beats, winner, contest)),
        *([f"{CALLEE}\n{plain_source(viewed)}"] if any(p.projection.view for p in plan.projections) else []),
        *_helpers(plan),
        record_source(),
        run.source("run"),
        *([commit.source("commit")] if commit.w.lines else []),
    ]
    return "\n\n".join(parts) + "\n", list(run.w.arguments), list(commit.w.arguments)


def _helpers(plan: Plan) -> list[str]:
    sources = []
    for owner in plan.owners.values():
        sources += [source for source in helper_source(owner.program) if source not in sources]
    return sources


class _Commit(Function):
    """Hooks commit and commit_synapse of a batch of presentations, then the sums start again."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.fixed = ("seed", "number", "batch")

    def write(self) -> None:
        w = self.w
        w.depth = 1
        if self.plan.keyed:
            w(f"commit_base = tick_key(u64(i64(seed)), u64(number), u64({COMMIT_TICK}))")
        self.commit()
        w("return 0")
