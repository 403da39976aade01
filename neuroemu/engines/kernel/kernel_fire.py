"""Hook fire_synapse in a kernel: the synapses of the neurons that fired."""

from __future__ import annotations

from neuroemu.engines.kernel.kernel_function import FunctionWriter
from neuroemu.engines.kernel.layout import ProjectionLayout, named
from neuroemu.language.language import Argument
from neuroemu.language.machine import site

HOOK = "fire_synapse"


def fire(kernel: FunctionWriter, layout: ProjectionLayout) -> None:
    """Call the hook for the synapses of every neuron that ``fired_list`` has listed."""
    kernel.call.site(layout.tag, HOOK, site(HOOK))
    if layout.transposed:
        with kernel.delays(layout):
            _columns(kernel, layout)
    else:
        with kernel.segments(layout), kernel.when(kernel.call.axon_gate(layout, HOOK)):
            kernel.row(layout, HOOK, fired=True)


def _columns(kernel: FunctionWriter, layout: ProjectionLayout) -> None:
    """A SIMD loop over the pre neurons for every neuron that fired; where the gate is closed, registers keep their values."""
    w, call, post, owner = kernel.w, kernel.call, layout.post_tag, layout.owner
    assert owner is not None
    arguments = owner.program.hooks[HOOK].arguments
    inner = {a.name for a in arguments if a.kind == "key" or _level(layout, a) in ("axon", "synapse")}
    outer = {a.name for a in arguments} - inner
    names = {n for n in (*inner, *owner.program.gate.get(HOOK, ())) if owner.program.level_of(n) in ("axon", "synapse")}
    slices, to = w.arg(f"{post}_slices"), f"{post}_who_to"
    with w.block(f"for s in range({slices}.shape[0]):"), w.loop("f", f"{to}[s + 1]", f"{to}[s]"):
        w(f"i = u64({post}_who[f])")
        with kernel.when(call.gate(layout, HOOK, ("post", "soma"))):
            call.load(owner, layout.tag, HOOK, "", layout, outer)
            for name in sorted(names):
                array = call.known(named(layout.tag, name))
                w(f"{layout.tag}_of_{name} = {array}[{'d' if owner.program.level_of(name) == 'axon' else 'i'}]")
                call.rows[array] = f"{layout.tag}_of_{name}[j]"
            _column(kernel, layout, inner)
            call.rows.clear()


def _level(layout: ProjectionLayout, argument: Argument) -> str | None:
    assert layout.owner is not None
    return layout.owner.program.level_of(argument.name)


def _column(kernel: FunctionWriter, layout: ProjectionLayout, inner: set[str]) -> None:
    """The synapses of neuron ``i``."""
    w, call, owner = kernel.w, kernel.call, layout.owner
    assert owner is not None
    unfit = [f"n_{name}" for name in call.saturating(layout.tag, HOOK)]
    gate = call.gate(layout, HOOK, ("axon", "synapse"))
    calls = w.arg(f"{layout.tag}_calls_{HOOK}")
    w(*(f"{name} = i4(0)" for name in unfit))
    if gate:
        w("calls = i4(0)")
    else:
        w(f"{calls}[s] += {layout.n_pre}")

    def count(name: str, test: str) -> None:
        w(f"n_{name} = i4(n_{name} + ({'open & ' if gate else ''}i4({test})))")

    with w.loop("j", layout.n_pre):
        if gate:
            w(f"open = i4({gate})", "calls = i4(calls + open)")
        call.load(owner, layout.tag, HOOK, call.synapse_key(layout, HOOK), layout, inner)
        w(*call.body(owner, layout.tag, HOOK))
        for name in owner.program.hooks[HOOK].returns:
            call.give(owner, layout.tag, HOOK, name, layout, None, count, "open != 0" if gate else "")
    if gate:
        w(f"{calls}[s] += calls")
    for name in call.saturating(layout.tag, HOOK):
        w(f"{w.arg(f'{layout.tag}_overflow_{name}')}[s] += n_{name}")
