"""Stages deliver and synapse of a kernel: which packets come due, the drive they give, whom they reach."""

from __future__ import annotations

from contextlib import ExitStack

from neuroemu.chip.aer import CHANNELS
from neuroemu.engines.kernel.kernel_function import FunctionWriter
from neuroemu.engines.kernel.layout import ProjectionLayout, named
from neuroemu.language.machine import site


def deliver(kernel: FunctionWriter, layout: ProjectionLayout, channel: str) -> None:
    """The packets of a channel that come due at delay ``d``: hook arrive, the drive, hook arrive_synapse."""
    routes = layout.projection.routes[channel]
    names, payloads = _sent(kernel, layout, channel)
    hooks = layout.owner.hooks if layout.owner else ()
    if "arrive" in hooks:
        with _arrivals(kernel, names, payloads, channel):
            kernel.call.rule(layout, "arrive")
    for port, mode in routes:
        _drive(kernel, layout, port, names, payloads if mode == "weight*payload" else "")
    if routes:
        _touch(kernel, layout, names)
    if "arrive_synapse" in hooks:
        kernel.call.site(layout.tag, "arrive_synapse", site("arrive_synapse", channel))
        with _arrivals(kernel, names, payloads, channel), kernel.when(kernel.call.axon_gate(layout, "arrive_synapse")):
            kernel.row(layout, "arrive_synapse")


def _arrivals(kernel: FunctionWriter, names: str, payloads: str, channel: str) -> ExitStack:
    """Open a loop over the packets, with the inputs of arrival hooks."""
    stack = ExitStack()
    stack.enter_context(kernel.w.loop("e", "e1", "e0"))
    kernel.w(
        f"j = u64({names}[e])", f"payload = {f'{payloads}[e]' if payloads else '1'}", f"channel = {CHANNELS[channel]}"
    )
    return stack


def _sent(kernel: FunctionWriter, layout: ProjectionLayout, channel: str) -> tuple[str, str]:
    """Set e0 and e1 to the range of the packets that come due; returns the arrays of their neurons and payloads."""
    w, source = kernel.w, layout.projection.pre
    delay = w.arg(f"{layout.tag}_delays")
    w(f"late = 1 + {delay}[d]", "e0 = 0", "e1 = 0")
    if kernel.layout.image.populations[source].is_host:
        indptr = w.arg(f"h{source}_indptr")
        with w.block("if tick >= late and tick - late < rows:"):
            w(f"e0 = {indptr}[b, tick - late]", f"e1 = {indptr}[b, tick - late + 1]")
        return w.arg(f"h{source}_neuron"), w.arg(f"h{source}_payload")
    tag = f"p{source}"
    w(f"slot = (tick - late) % {kernel.layout.ring}")
    with w.block("if tick >= late:"):
        w(f"e1 = {tag}_count_{channel}[slot]")
    w(f"sent = {tag}_list_{channel}[slot]")
    if channel not in kernel.layout.population(source).owner.program.payloads:
        return "sent", ""
    w(f"graded = {tag}_payloads_{channel}[slot]")
    return "sent", "graded"


def _drive(kernel: FunctionWriter, layout: ProjectionLayout, port: str, names: str, payloads: str) -> None:
    """Add the weights of the packets that arrived to a port; four matrix rows a pass."""
    w, tag = kernel.w, layout.tag
    total, weight = f"{layout.post_tag}_total_{port}", w.arg(named(tag, layout.weight or "weight"))
    factor = f" * i64({payloads}[e])" if payloads else ""

    def seen(place: str) -> str:
        """The datapath's weight, in 64 bits: a sum of stored ones would not fit where they do."""
        view = layout.projection.view
        return f"i64({place})" if view is None else f"i64(viewed(i64({place}), {', '.join(map(str, view))}))"

    if not layout.dense:
        with w.loop("e", "e1", "e0"):
            w(f"j = u64({names}[e])")
            with kernel.list_row(layout):
                w(f"{total}[u64({w.arg(f'{tag}_post')}[k])] += {seen(f'{weight}[k]')}{factor}")
        return
    w("e = e0")
    rows = [f"{tag}_row{r}" for r in range(4)]
    if not payloads:
        with w.block("while e + 4 <= e1:"):
            w(*(f"{row} = {weight}[u64({names}[e + {r}])]" for r, row in enumerate(rows)))
            with w.loop("i", layout.n_post):
                w(f"{total}[i] += " + " + ".join(seen(f"{row}[i]") for row in rows))
            w("e += 4")
    with w.block("while e < e1:"):
        w(f"{rows[0]} = {weight}[u64({names}[e])]")
        with w.loop("i", layout.n_post):
            w(f"{total}[i] += {seen(f'{rows[0]}[i]')}{factor}")
        w("e += 1")


def _touch(kernel: FunctionWriter, layout: ProjectionLayout, names: str) -> None:
    """Mark the neurons a synop reached; a matrix stops as soon as all are."""
    w, tag, touched = kernel.w, layout.tag, f"{layout.post_tag}_touched"
    if not layout.dense:
        with w.loop("e", "e1", "e0"):
            w(f"j = u64({names}[e])")
            with kernel.list_row(layout):
                w(f"{touched}[u64({w.arg(f'{tag}_post')}[k])] = 1")
    elif layout.full:
        with w.block("if e1 > e0:"):
            w.fill({touched: 1}, (layout.n_post,))
    else:
        w("e = e0", "reached = 0")
        with w.block(f"while e < e1 and reached < {layout.n_post}:"):
            w(f"{tag}_is_row = {w.arg(f'{tag}_is')}[u64({names}[e])]", "reached = 0")
            with w.loop("i", layout.n_post):
                w(f"{touched}[i] |= {tag}_is_row[i]", f"reached += i64({touched}[i])")
            w("e += 1")
