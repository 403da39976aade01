"""Arrays a kernel allocates for itself: ports, flags and lists of a population, and registers that start afresh."""

from __future__ import annotations

from dataclasses import dataclass

from neuroemu.engines.kernel.kernel_function import FunctionWriter
from neuroemu.engines.kernel.kernel_soma import scratch
from neuroemu.engines.kernel.layout import PopulationLayout, dtype_of, named

PITCH = 64
"""Elements the arrays of a population are apart by a multiple of: whole SIMD registers of any dtype."""


@dataclass(frozen=True)
class Local:
    """A register that starts afresh: its array, the shape it is given back in, dtype, start value, whether kept by post neuron."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    init: int
    transposed: bool

    @property
    def kept(self) -> tuple[int, ...]:
        """The shape in the kernel."""
        return self.shape[::-1] if self.transposed else self.shape


def local_registers(kernel: FunctionWriter) -> list[Local]:
    """Every register that starts afresh."""
    found = []
    projections = {layout.tag: layout for layout in kernel.layout.projections}
    sizes = {layout.tag: layout.population.n for layout in kernel.layout.populations}
    for tag, owner in kernel.layout.owners.items():
        for register in owner.program.registers.values():
            if register.kind in kernel.layout.local_kinds:
                shape = projections[tag].shape(register.level) if tag in projections else (sizes[tag],)
                transposed = tag in projections and register.name in projections[tag].transposed
                dtype = dtype_of(owner.proof.widths[register.name].bits)
                found.append(Local(named(tag, register.name), shape, dtype, register.init, transposed))
    return found


def allocate(kernel: FunctionWriter) -> None:
    """A worker's own arrays.

    Those of one length and dtype lie in one array, so that LLVM sees by their places that they do not overlap: of separate ones it would
    check every pair when the loop begins, and with more than a few does not make the loop SIMD.
    """
    w = kernel.w
    registers = local_registers(kernel)
    for layout in kernel.layout.populations:
        rows = _rows(kernel, layout)
        rows |= {local.name: local.dtype for local in registers if local.name.startswith(f"{layout.tag}__")}
        for dtype in sorted(set(rows.values())):
            names = [name for name, other in rows.items() if other == dtype]
            pitch = -(-layout.population.n // PITCH) * PITCH
            w(f"{layout.tag}_{dtype} = np.zeros({len(names) * pitch}, np.{dtype})")
            for place, name in enumerate(names):
                w(f"{name} = {layout.tag}_{dtype}[{place * pitch}:{place * pitch + layout.population.n}]")
        _lists(kernel, layout)
    for local in registers:
        if not local.name.startswith("p"):
            w(f"{local.name} = np.empty({local.kept if len(local.kept) > 1 else local.kept[0]}, np.{local.dtype})")


def _rows(kernel: FunctionWriter, layout: PopulationLayout) -> dict[str, str]:
    """Arrays of one element a neuron, with their dtypes."""
    tag, program = layout.tag, layout.owner.program
    rows = {f"{tag}_total_{port}": dtype for port, dtype in layout.totals.items()}
    rows |= scratch(layout, kernel.layout.port_width.bits)
    rows[f"{tag}_touched"] = "uint8"
    if kernel.layout.ruled(layout.number):
        rows[f"{tag}_fired"] = "uint8"
    if layout.population.compete and program.fires == "fire":
        rows[f"{tag}_flag_fire"] = "uint8"
    for flag in layout.population.rivals or ():
        rows |= {f"{tag}_won_{flag}": "uint8", f"{tag}_near_{flag}": "uint8"}
    for channel in program.channels:
        rows[f"{tag}_flag_{channel}"] = "uint8"
        if channel in program.payloads:
            rows[f"{tag}_payload_{channel}"] = "int32"
    return rows


def _lists(kernel: FunctionWriter, layout: PopulationLayout) -> None:
    """Lists of the neurons that fired and of the packets sent."""
    w, tag, n, ring = kernel.w, layout.tag, layout.population.n, kernel.layout.ring
    if kernel.layout.ruled(layout.number):
        w(f"{tag}_who = np.zeros({n} + 1, np.int64)")
        w(f"{tag}_who_to = np.zeros({len(layout.population.slices)} + 1, np.int64)")
    for channel in layout.owner.program.channels:
        w(f"{tag}_list_{channel} = np.zeros(({ring}, {n}), np.int32)")
        w(f"{tag}_count_{channel} = np.zeros({ring}, np.int64)")
        if channel in layout.owner.program.payloads:
            w(f"{tag}_payloads_{channel} = np.zeros(({ring}, {n}), np.int32)")
