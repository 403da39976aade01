"""Facts and tables that commands print."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from neuroemu.image.image import Image
    from neuroemu.image.loss import Loss
    from neuroemu.results.run import Run


def table(*columns: str) -> Table:
    """An empty table in the house's one look."""
    rows = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        rows.add_column(column, overflow="fold")  # what is too wide goes on in the next line, no digit is left out
    return rows


def fit_width(rows: Table, console: Console) -> None:
    """Make a table as narrow as the console, if it is wider: closer columns, then cells that go on in the next line.

    A word or number is broken only where one a line is still too wide. Columns that need little room get it first, those of
    cells before those of heads.
    """
    wide = console.options.update(max_width=10**4)
    if console.measure(rows, options=wide).maximum <= console.width:
        return
    rows.padding = (0, 1, 0, 0)
    heads = [console.measure(column.header, options=wide) for column in rows.columns]
    bodies = [[console.measure(cell, options=wide) for cell in column.cells] or [heads[k]]
              for k, column in enumerate(rows.columns)]  # fmt: skip
    widths = [max(head.minimum, *(cell.minimum for cell in body)) for head, body in zip(heads, bodies, strict=True)]
    room = max(console.width - 2 * len(widths) - 1, len(widths))
    while sum(widths) > room:
        widths[widths.index(max(widths))] -= 1
    for wanted in ([max(cell.maximum for cell in body) for body in bodies], [head.maximum for head in heads]):
        for need, k in sorted(
            (max(want - has, 0), k) for k, (want, has) in enumerate(zip(wanted, widths, strict=True))
        ):
            widths[k] += min(need, room - sum(widths))
    for column, width in zip(rows.columns, widths, strict=True):
        column.width, column.no_wrap, column.overflow = width, False, "fold"


def losses(found: tuple[Loss, ...]) -> Table:
    """What quantisation did to each node."""
    rows = table("node", "scale", "weight error", "largest", "zeroed", "threshold error", "decay error", "bias error")
    for loss in found:
        errors = (loss.weight_rms, loss.weight_max)
        rest = (loss.threshold, loss.decay, loss.bias)
        rows.add_row(
            loss.node, f"{loss.scale:.6g}", *(f"{e:.2%}" for e in errors), str(loss.zeroed), *(f"{e:.2%}" for e in rest)
        )
    return rows


def image_facts(image: Image) -> dict[str, Any]:
    return {
        "digest": image.digest,
        "chip": image.chip.name,
        "cores": image.n_cores,
        "lag": image.lag,
        "usage": image.usage,
        "notes": list(image.notes),
        "losses": [asdict(loss) for loss in image.losses],
    }


def image_text(image: Image) -> list[Any]:
    neurons = sum(population.n for population in image.populations if not population.is_host)
    text = f"{image.chip.name}: {neurons} neurons on {image.n_cores} of {image.chip.n_cores} cores, outputs lag {image.lag} ticks"
    return [losses(image.losses), text, *(f"note: {note}" for note in image.notes)]


def run_facts(run: Run, accuracy: float | None) -> dict[str, Any]:
    return {
        "engine": run.engine,
        "presentations": run.n,
        "ticks": run.ticks,
        "lag": run.lag,
        "packets": len(run.spikes),
        "accuracy": accuracy,
        "wall_s": run.wall_s,
        "compile_s": run.compile_s,
    }


def run_text(run: Run, accuracy: float | None) -> list[str]:
    lines = [
        f"{run.n} presentations of {run.ticks} ticks, {len(run.spikes)} packets, {run.wall_s:.2f} s (kernel {run.compile_s:.2f} s)"
    ]
    return [*lines, f"accuracy: {accuracy:.2%}"] if accuracy is not None else lines
