"""Arrays a kernel allocates for itself: ports, flags and lists of a population, and registers that start afresh."""

from __future__ import annotations

from dataclasses import dataclass

from neuroemu.engines.kernel.kernel_function import Function
from neuroemu.engines.kernel.kernel_soma import scratch
from neuroemu.engines.kernel.plan import PopulationPlan, dtype_of, named

PITCH = 64
"""Elements the arrays of a population are apart by a multiple of: whole SIMD registers of any dtype."""


@dataclass(frozen=True)
class Local:
    """A register that starts afresh: its array, the shape it is given back in, dtype, start value, whether kept by post neuron."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    init: int
    turned: bool

    @property
    def kept(self) -> tuple[int, ...]:
        """The shape in the kernel."""
        return self.shape[::-1] if self.turned else self.shape


def local_registers(kernel: Function) -> list[Local]:
    """Every register that starts afresh."""
    found = []
    projections = {plan.tag: plan for plan in kernel.plan.projections}
    sizes = {plan.tag: plan.population.n for plan in kernel.plan.populations}
    for tag, owner in kernel.plan.owners.items():
        for register in owner.program.registers.values():
            if register.kind in kernel.plan.local_kinds:
                shape = projections[tag].shape(register.level) if tag in projections else (sizes[tag],)
                turned = tag in projections and register.name in projections[tag].turned
                dtype = dtype_of(owner.proof.widths[register.name].bits)
                found.append(Local(named(tag, register.name), shape, dtype, register.init, turned))
    return found


def allocate(kernel: Function) -> None:
    """A worker's own arrays.

    Those of one length and dtype lie in one array, so that LLVM sees by their places that they do not overlap: of separate ones it would
    check every pair when the loop begins, and with more than a few does not make the loop SIMD.
    """
    w = kernel.w
    registers = local_registers(kernel)
    for plan in kernel.plan.populations:
        rows = _rows(kernel, plan)
        rows |= {local.name: local.dtype for local in registers if local.name.startswith(f"{plan.tag}__")}
        for dtype in sorted(set(rows.values())):
            names = [name for name, other in rows.items() if other == dtype]
            pitch = -(-plan.population.n // PITCH) * PITCH
            w(f"{plan.tag}_{dtype} = np.zeros({len(names) * pitch}, np.{dtype})")
            for place, name in enumerate(names):
                w(f"{name} = {plan.tag}_{dtype}[{place * pitch}:{place * pitch + plan.population.n}]")
        _lists(kernel, plan)
    for local in registers:
        if not local.name.startswith("p"):
            w(f"{local.name} = np.empty({local.kept if len(local.kept) > 1 else local.kept[0]}, np.{local.dtype})")


def _rows(kernel: Function, plan: PopulationPlan) -> dict[str, str]:
    """Arrays of one element a neuron, with their dtypes."""
    tag, program = plan.tag, plan.owner.program
    rows = {f"{tag}_total_{port}": dtype for port, dtype in plan.totals.items()}
    rows |= scratch(plan, kernel.plan.port_width.bits)
    rows[f"{tag}_touched"] = "uint8"
    if kernel.plan.ruled(plan.number):
        rows[f"{tag}_fired"] = "uint8"
    if plan.population.compete and program.fires == "fire":
        rows[f"{tag}_flag_fire"] = "uint8"
    for flag in plan.population.rivals or ():
        rows |= {f"{tag}_won_{flag}": "uint8", f"{tag}_near_{flag}": "uint8"}
    for channel in program.channels:
        rows[f"{tag}_flag_{channel}"] = "uint8"
        if channel in program.payloads:
            rows[f"{tag}_payload_{channel}"] = "int32"
    return rows


def _lists(kernel: Function, plan: PopulationPlan) -> None:
    """Lists of the neurons that fired and of the packets sent."""
    w, tag, n, ring = kernel.w, plan.tag, plan.population.n, kernel.plan.ring
    if kernel.plan.ruled(plan.number):
        w(f"{tag}_who = np.zeros({n} + 1, np.int64)")
        w(f"{tag}_who_to = np.zeros({len(plan.population.slices)} + 1, np.int64)")
    for channel in plan.owner.program.channels:
        w(f"{tag}_list_{channel} = np.zeros(({ring}, {n}), np.int32)")
        w(f"{tag}_count_{channel} = np.zeros({ring}, np.int64)")
        if channel in plan.owner.program.payloads:
            w(f"{tag}_payloads_{channel} = np.zeros(({ring}, {n}), np.int32)")
