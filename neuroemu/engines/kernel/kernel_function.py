"""What every function of a kernel is written with: stages, and loops over segments, synapses and neurons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from neuroemu.engines.kernel.kernel_hooks import Caller
from neuroemu.engines.kernel.layout import Layout, PopulationLayout, ProjectionLayout
from neuroemu.engines.kernel.writer import Writer, needed, stored
from neuroemu.language.machine import site

JIT = '@njit(nogil=True, boundscheck=False, error_model="numpy")'
STAGE = (
    "@njit(_nrt=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, boundscheck=False, "
    'error_model="numpy")'
)
"""Numba's own passes take time with the square of a function's length: stages are functions, which LLVM puts back in place.
They allocate nothing: ``_nrt=False`` keeps Numba from counting references to every array at every call."""


class FunctionWriter:
    """One function of the kernel."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.w = layout, Writer()
        self.call = Caller(layout, self.w)
        self.fixed: tuple[str, ...] = ()
        self.stages: list[str] = []

    def source(self, name: str) -> str:
        arguments = ", ".join([*self.fixed, *self.w.arguments])
        return "\n\n".join([*self.stages, f"{JIT}\ndef {name}({arguments}):\n" + "\n".join(self.w.lines)])

    @contextmanager
    def stage(self, name: str, result: str = "") -> Iterator[None]:
        """Put everything written inside into a function of its own, called here; ``result`` names a variable it changes."""
        w = self.w
        outer, depth = w.lines, w.depth
        known = {*self.fixed, *stored(outer)}
        w.lines, w.depth = [], 1
        yield
        body = w.lines
        w.lines, w.depth = outer, depth
        if not body:
            return
        if result:
            body.append(f"    return {result}")
        arguments = ", ".join(sorted(needed(body) & (known | w.arguments.keys())))
        self.stages.append(f"{STAGE}\ndef {name}({arguments}):\n" + "\n".join(body))
        w(f"{result} = {name}({arguments})" if result else f"{name}({arguments})")

    def segments(self, layout: ProjectionLayout) -> ExitStack:
        """Open loops over all delays ``d`` and pre neurons ``j`` of a projection."""
        stack = ExitStack()
        stack.enter_context(self.delays(layout))
        stack.enter_context(self.w.loop("j", layout.n_pre))
        return stack

    def list_row(self, layout: ProjectionLayout) -> AbstractContextManager[None]:
        """Open a loop over the listed synapses ``k`` of segment ``d, j``."""
        indptr = self.w.arg(f"{layout.tag}_indptr")
        return self.w.loop("k", f"{indptr}[d, j + u64(1)]", f"{indptr}[d, j]")

    def delays(self, layout: ProjectionLayout) -> AbstractContextManager[None]:
        """Open a loop over all delays ``d``."""
        return self.w.loop("d", len(layout.parts))

    def when(self, test: str) -> AbstractContextManager[None]:
        """Open an if, unless there is nothing to test."""
        return self.w.block(f"if {test}:") if test else nullcontext()

    def synapses(self, layout: ProjectionLayout, hook: str) -> None:
        """Loop a synapse hook over all synapses of a projection."""
        with self.segments(layout), self.when(self.call.axon_gate(layout, hook)):
            self.row(layout, hook)

    def row(self, layout: ProjectionLayout, hook: str, fired: bool = False) -> None:
        """Loop a synapse hook over the synapses of segment ``d, j``, counting calls by slice of the post population.

        ``fired``: only those of neurons that fired, which ``fired_list`` has listed.
        """
        w, post = self.w, layout.post_tag
        count = w.arg(f"{layout.tag}_calls_{hook}")
        gate = self.call.post_gate(layout, hook)
        if layout.dense:
            with w.block(f"for s in range({w.arg(f'{post}_slices')}.shape[0]):"):
                self.call.clear_saturations(layout.tag, hook)
                w("calls = 0")
                with ExitStack() as stack:
                    if fired:
                        stack.enter_context(w.loop("f", f"{post}_who_to[s + 1]", f"{post}_who_to[s]"))
                        w(f"i = u64({post}_who[f])")
                    else:
                        stack.enter_context(w.loop("i", f"{post}_slices[s, 1]", f"{post}_slices[s, 0]"))
                    stack.enter_context(self.when(gate))
                    self.call.rule(layout, hook)
                    w("calls += 1")
                w(f"{count}[s] += calls")
                self.call.add_saturations(layout.tag, hook)
        else:
            test = " and ".join(term for term in (f"{post}_fired[i] != 0" if fired else "", gate) if term)
            with self.list_row(layout):
                w(f"i = u64({w.arg(f'{layout.tag}_post')}[k])", f"s = {w.arg(f'{post}_slice_of')}[i]")
                with self.when(test):
                    self.call.clear_saturations(layout.tag, hook)
                    self.call.rule(layout, hook)
                    w(f"{count}[s] += 1")
                    self.call.add_saturations(layout.tag, hook)

    def fired_list(self, layout: PopulationLayout) -> None:
        """List the neurons that fired, ascending; those of slice s stand at who_to[s] to who_to[s + 1] - 1."""
        w, tag = self.w, layout.tag
        w("n_fired = 0")
        with w.block(f"for s in range({w.arg(f'{tag}_slices')}.shape[0]):"):
            w(f"{tag}_who_to[s] = n_fired")
            with w.loop("i", f"{tag}_slices[s, 1]", f"{tag}_slices[s, 0]"):
                w(f"{tag}_who[n_fired] = i", f"n_fired += {tag}_fired[i] != 0")
            w(f"{tag}_who_to[s + 1] = n_fired")

    def learn(self, layout: ProjectionLayout) -> None:
        """Hooks end_synapse and commit_synapse of every synapse in one pass; the sums between them are fused: wires, in no memory."""
        w, post = self.w, layout.post_tag
        hooks = ("end_synapse", "commit_synapse")
        counts = {hook: w.arg(f"{layout.tag}_calls_{hook}") for hook in hooks}
        self.call.site(layout.tag, "end_synapse", site("end_synapse"))
        self.call.site(layout.tag, "commit_synapse", site("commit_synapse"), "commit_base")
        with self.segments(layout), ExitStack() as stack:
            only = self.call.axon_gate(layout, "end_synapse")
            commits = set(layout.owner.program.gate.get("commit_synapse", ())) if layout.owner else set()
            if only and commits & self.layout.fused_sums(layout):  # what no end changes is 0, and no commit follows
                stack.enter_context(self.when(only))
                only = ""
            slices = w.arg(f"{post}_slices")
            if layout.dense:
                stack.enter_context(w.block(f"for s in range({slices}.shape[0]):"))
            else:
                stack.enter_context(self.list_row(layout))
                w(f"i = u64({w.arg(f'{layout.tag}_post')}[k])", f"s = {w.arg(f'{post}_slice_of')}[i]")
            for hook in hooks:
                self.call.clear_saturations(layout.tag, hook)
                w(f"{hook}_calls = 0")
            with w.loop("i", f"{slices}[s, 1]", f"{slices}[s, 0]") if layout.dense else nullcontext():
                for name in sorted(self.layout.fused_sums(layout)):
                    w(f"{layout.tag}__{name} = 0")
                test = " and ".join(term for term in (only, self.call.post_gate(layout, "end_synapse")) if term)
                with self.when(test):
                    self.call.rule(layout, "end_synapse")
                    w("end_synapse_calls += 1")
                gates = (self.call.axon_gate(layout, "commit_synapse"), self.call.post_gate(layout, "commit_synapse"))
                with self.when(" and ".join(term for term in gates if term)):
                    self.call.rule(layout, "commit_synapse")
                    w("commit_synapse_calls += 1")
            for hook in hooks:
                w(f"{counts[hook]}[s] += {hook}_calls")
                self.call.add_saturations(layout.tag, hook)

    def commit(self) -> None:
        """Hooks commit and commit_synapse, then the sums start again; the kernel's ``commit_base`` is the commit's key."""
        for layout in self.layout.populations:
            if "commit" in layout.owner.hooks:
                with self.stage(f"commit_{layout.tag}"):
                    self.neurons(layout, "commit", "commit_base")
        for projection in self.layout.projections:
            if (
                projection.owner
                and "commit_synapse" in projection.owner.hooks
                and not self.layout.fused_sums(projection)
            ):
                with self.stage(f"commit_{projection.tag}"):
                    self.call.site(projection.tag, "commit_synapse", site("commit_synapse"), "commit_base")
                    self.synapses(projection, "commit_synapse")
        for name, shape in self.call.sums():
            self.w.fill({self.w.arg(name): 0}, shape)

    def neurons(self, layout: PopulationLayout, hook: str, base: str = "base") -> None:
        """Call a hook for all neurons of a population."""
        w = self.w
        self.call.site(layout.tag, hook, site(hook), base)
        with w.loop("i", layout.population.n):
            w(f"s = {w.arg(f'{layout.tag}_slice_of')}[i]")
            self.call.clear_saturations(layout.tag, hook)
            self.call.neuron(layout, hook)
            self.call.add_saturations(layout.tag, hook)
