"""Hook fire_synapse in a kernel: the synapses of the neurons that fired."""

from __future__ import annotations

from neuroemu.engines.kernel.kernel_function import Function
from neuroemu.engines.kernel.plan import ProjectionPlan, named
from neuroemu.language.language import Argument
from neuroemu.language.machine import site

HOOK = "fire_synapse"


def fire(kernel: Function, plan: ProjectionPlan) -> None:
    """Call the hook for the synapses of every neuron that ``fired_list`` has listed."""
    kernel.call.site(plan.tag, HOOK, site(HOOK))
    if plan.turned:
        with kernel.delays(plan):
            _columns(kernel, plan)
    else:
        with kernel.segments(plan), kernel.when(kernel.call.axon_gate(plan, HOOK)):
            kernel.row(plan, HOOK, fired=True)


def _columns(kernel: Function, plan: ProjectionPlan) -> None:
    """A SIMD loop over the pre neurons for every neuron that fired; where the gate is closed, registers keep their values."""
    w, call, post, owner = kernel.w, kernel.call, plan.post_tag, plan.owner
    assert owner is not None
    arguments = owner.program.hooks[HOOK].arguments
    inner = {a.name for a in arguments if a.kind == "key" or _level(plan, a) in ("axon", "synapse")}
    outer = {a.name for a in arguments} - inner
    names = {n for n in (*inner, *owner.program.gate.get(HOOK, ())) if owner.program.level_of(n) in ("axon", "synapse")}
    slices, to = w.arg(f"{post}_slices"), f"{post}_who_to"
    with w.block(f"for s in range({slices}.shape[0]):"), w.loop("f", f"{to}[s + 1]", f"{to}[s]"):
        w(f"i = u64({post}_who[f])")
        with kernel.when(call.gate(plan, HOOK, ("post", "soma"))):
            call.load(owner, plan.tag, HOOK, "", plan, outer)
            for name in sorted(names):
                array = call.known(named(plan.tag, name))
                w(f"{plan.tag}_of_{name} = {array}[{'d' if owner.program.level_of(name) == 'axon' else 'i'}]")
                call.rows[array] = f"{plan.tag}_of_{name}[j]"
            _column(kernel, plan, inner)
            call.rows.clear()


def _level(plan: ProjectionPlan, argument: Argument) -> str | None:
    assert plan.owner is not None
    return plan.owner.program.level_of(argument.name)


def _column(kernel: Function, plan: ProjectionPlan, inner: set[str]) -> None:
    """The synapses of neuron ``i``."""
    w, call, owner = kernel.w, kernel.call, plan.owner
    assert owner is not None
    unfit = [f"n_{name}" for name in call.saturating(plan.tag, HOOK)]
    gate = call.gate(plan, HOOK, ("axon", "synapse"))
    calls = w.arg(f"{plan.tag}_calls_{HOOK}")
    w(*(f"{name} = i4(0)" for name in unfit))
    if gate:
        w("calls = i4(0)")
    else:
        w(f"{calls}[s] += {plan.n_pre}")

    def count(name: str, test: str) -> None:
        w(f"n_{name} = i4(n_{name} + ({'open & ' if gate else ''}i4({test})))")

    with w.loop("j", plan.n_pre):
        if gate:
            w(f"open = i4({gate})", "calls = i4(calls + open)")
        call.load(owner, plan.tag, HOOK, call.synapse_key(plan, HOOK), plan, inner)
        w(*call.body(owner, plan.tag, HOOK))
        for name in owner.program.hooks[HOOK].returns:
            call.give(owner, plan.tag, HOOK, name, plan, None, count, "open != 0" if gate else "")
    if gate:
        w(f"{calls}[s] += calls")
    for name in call.saturating(plan.tag, HOOK):
        w(f"{w.arg(f'{plan.tag}_overflow_{name}')}[s] += n_{name}")
