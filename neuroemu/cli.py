"""The command line. Exit codes: 0 done, 1 the answer is no (it differs, it does not fit), 2 bad use or bad input."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click
from rich import box
from rich.table import Table

import neuroemu as ne
from neuroemu import shelf
from neuroemu.chip import Chip
from neuroemu.datasheet import json_schema
from neuroemu.engines import ENGINES
from neuroemu.errors import CapacityError, FirmwareError, NeuroemuError, UnsupportedError
from neuroemu.formats import read_arrays, read_labels
from neuroemu.image import Image
from neuroemu.network import Network
from neuroemu.quantize import Loss
from neuroemu.report import report as price
from neuroemu.run import Run
from neuroemu.screen import Screen

NO = (CapacityError, UnsupportedError, FirmwareError)
"""Errors that answer the question with no: exit code 1."""

Command = Callable[..., Any]
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
chip_option = click.option("--chip", required=True, help="A shipped chip's name, or the path of a datasheet.")
force = click.option("--force", is_flag=True, help="Replace an earlier run of that name.")


def conventions(command: Command) -> Command:
    """Options for what NIR does not say."""
    for option in reversed(
        (
            click.option("--dt", type=float, help="Seconds a tick [file's metadata, else 1e-4]."),
            click.option(
                "--reset", type=click.Choice(["zero", "subtract"]), help="Reset to v_reset, or by the threshold [zero]."
            ),
            click.option(
                "--reset-timing",
                type=click.Choice(["now", "next"]),
                help="In the tick of the spike, or the next [now].",
            ),
            click.option("--compare", type=click.Choice([">", ">="]), help="How v meets the threshold [>]."),
            click.option("--decay", type=click.Choice(["euler", "exp"]), help="1 - dt/tau, or exp(-dt/tau) [euler]."),
            click.option(
                "--gain", type=click.Choice(["nir", "unit"]), help="Scale inputs by r as NIR says, or not at all [nir]."
            ),
            click.option("--graded-input", is_flag=True, help="Let the input's values multiply the weights."),
        )
    ):
        command = option(command)
    return command


def compiling(command: Command) -> Command:
    """Options of compile."""
    for option in reversed(
        (
            click.option("--weight-bits", type=int, help="Use fewer bits than the chip's weights have."),
            click.option("--verbatim", is_flag=True, help="Take weights and parameters as register units."),
            click.option("--bias", type=click.Choice(["current", "voltage"]), default="current", show_default=True,
                         help="Where the bias of a current-based neuron goes."),
            click.option("--no-align", is_flag=True, help="Run every soma from tick 0, as a free-running chip does."),
            click.option("--no-split", is_flag=True, help="Refuse to cut a population over cores."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def running(command: Command) -> Command:
    """Options of run."""
    for option in reversed(
        (
            click.option(
                "--input",
                "input_path",
                required=True,
                help=".npy or .npz of (ticks, neurons) or (ticks, samples, neurons...).",
            ),
            click.option("--labels", "labels_path", help=".npy of one label a sample."),
            click.option(
                "--engine", type=click.Choice(ENGINES), default="cpu", show_default=True, help="All give the same bits."
            ),
            click.option("--seed", type=int, default=0, show_default=True, help="Seed of random numbers in programs."),
            click.option("--workers", type=int, help="Threads of engine cpu [one a processor]."),
        )
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="neuroemu")
def cli() -> None:
    """Emulate digital neuromorphic chips: does a network fit, does it still work, what does it cost."""


@cli.command()
@click.option("--chip", default="loihi1", show_default=True, help="A shipped chip's name, or the path of a datasheet.")
@click.option("--weight-bits", type=int, default=8, show_default=True, help="Bits of a weight.")
@click.option("--data", help="Folder of the demo's files [those shipped].")
@as_json
def demo(chip: str, weight_bits: int, data: str | None, as_json: bool) -> None:
    """Deploy a trained network for handwritten digits onto a chip, and check the engines against each other."""
    screen = Screen(as_json)
    path, inputs, labels = ne.demo_data(data)
    network = _read(screen, str(path), {})
    image = ne.compile(network, ne.load_chip(chip), weight_bits=weight_bits)
    run = _run(screen, image, inputs, "cpu", 0, None)
    accuracy, exact = run.accuracy(labels), ne.simulate(network, inputs).accuracy(labels)
    few = inputs[:, :12]
    runs = {engine: _run(screen, image, few, engine, 0, None) for engine in ENGINES}
    difference = next((found for engine in ENGINES if (found := runs["cpu"].differs(runs[engine]))), None)
    costs = price(run, accuracy=accuracy)
    screen.result(
        costs.as_dict()
        | {"float_accuracy": exact, "engines_agree": difference is None, "packets_compared": len(runs["cpu"].spikes)},
        f"digits.nir, trained by snnTorch, on {chip} with {weight_bits}-bit weights, {run.n} test samples",
        _losses(image.losses),
        *costs.renderables(),
        f"accuracy in float: {exact:.2%}",
        f"engines {', '.join(ENGINES)}: the same bits on {few.shape[1]} samples ({len(runs['cpu'].spikes)} packets, all counts, registers)"
        if difference is None
        else f"engines differ: {difference}",
    )
    sys.exit(0 if difference is None else 1)


@cli.command()
@click.argument("name", required=False)
@click.option("--schema", is_flag=True, help="Print the JSON schema of datasheets, for editors.")
@as_json
def chips(name: str | None, schema: bool, as_json: bool) -> None:
    """List the chips, or show one with its capacities, widths and costs, each with its source."""
    screen = Screen(as_json)
    if schema:
        return Screen(True).result(json_schema())
    if name is None:
        found = [ne.load_chip(chip) for chip in shelf.chips()]
        table = _table("name", "chip", "cores", "neurons a core", "weight bits")
        for chip in found:
            table.add_row(
                chip.name,
                chip.sheet.core.title,
                str(chip.n_cores),
                str(chip.limit("neurons") or "no limit"),
                str(_weight_bits(chip)),
            )
        return screen.result([{"name": c.name, "title": c.sheet.core.title, "cores": c.n_cores} for c in found], table)
    chip = ne.load_chip(name)
    return screen.result(ne.chip_facts(chip), *_chip_tables(chip))


@cli.group()
def firmware() -> None:
    """Programs: neuron models and learning rules."""


@firmware.command("list")
@as_json
def firmware_list(as_json: bool) -> None:
    """List the shipped programs."""
    table = _table("program", "what it is")
    rows = []
    for name in shelf.programs():
        program = ne.load_program(name)
        rows.append({"name": name, "doc": program.doc})
        table.add_row(name, " ".join(program.doc.split("\n\n")[0].split()))
    Screen(as_json).result(rows, table)


@firmware.command("check")
@click.argument("file")
@chip_option
@click.option("--set", "switches", multiple=True, metavar="SWITCH=0|1", help="Fold a switch to this value [0].")
@as_json
def firmware_check(file: str, chip: str, switches: tuple[str, ...], as_json: bool) -> None:
    """Prove that a firmware file's programs fit a chip; show what each hook costs and which registers can overflow."""
    results = ne.check_file(file, ne.load_chip(chip), dict(_switch(text) for text in switches))
    table = _table("program", "hook", "arithmetic", "operations a call", "energy a call", "can overflow")
    for result in results:
        table.add_row(
            result.program,
            result.hook,
            result.arithmetic,
            result.operations_text,
            result.energy_text,
            result.overflows_text,
        )
    Screen(as_json).result([asdict(result) for result in results], f"{file} fits {ne.load_chip(chip).name}", table)


def _switch(text: str) -> tuple[str, int]:
    name, sep, value = text.partition("=")
    if not sep or value not in ("0", "1"):
        raise click.BadParameter(f"'{text}' is not SWITCH=0 or SWITCH=1", param_hint="--set")
    return name, int(value)


@cli.command("compile")
@click.argument("network")
@chip_option
@click.option("-o", "--output", required=True, help="The image to write.")
@conventions
@compiling
@as_json
def compile_(network: str, chip: str, output: str, as_json: bool, **options: Any) -> None:
    """Compile a NIR network into an image for a chip."""
    screen = Screen(as_json)
    image = _compile(screen, network, chip, options)
    image.save(output)
    screen.result(_image_facts(image) | {"image": output}, *_image_text(image), f"wrote {output} ({image.digest[:12]})")


@cli.command("run")
@click.argument("image")
@running
@click.option("-o", "--output", required=True, help="The folder to write the run to.")
@force
@as_json
def run_(image: str, input_path: str, labels_path: str | None, engine: str, seed: int, workers: int | None, output: str, force: bool,
         as_json: bool) -> None:  # fmt: skip
    """Run an image on input events; ticks follow from the input's rows."""
    screen = Screen(as_json)
    run, accuracy = _run_files(screen, ne.load_image(image), input_path, labels_path, engine, seed, workers)
    _save(run, output, accuracy, force)
    screen.result(_run_facts(run, accuracy) | {"run": output}, *_run_text(run, accuracy), f"wrote {output}")


@cli.command("report")
@click.argument("run")
@click.option("--prices", help="Price with another chip's datasheet.")
@as_json
def report_(run: str, prices: str | None, as_json: bool) -> None:
    """Price a run: events, energy by provenance, time bound."""
    costs = price(ne.load_run(run), prices=ne.load_chip(prices) if prices else None, accuracy=ne.stored_accuracy(run))
    Screen(as_json).result(costs.as_dict(), *costs.renderables())


@cli.command()
@click.argument("run_a")
@click.argument("run_b")
@as_json
def diff(run_a: str, run_b: str, as_json: bool) -> None:
    """Compare two runs bit for bit and name the first difference; exit code 1 if there is one."""
    first, second = ne.load_run(run_a), ne.load_run(run_b)
    difference = first.differs(second)
    same = f"equal: {len(first.spikes)} packets, all counts and registers"
    Screen(as_json).result(
        {"equal": difference is None, "difference": difference, "packets": len(first.spikes)}, difference or same
    )
    sys.exit(0 if difference is None else 1)


@cli.command()
@click.argument("network")
@chip_option
@running
@click.option("-o", "--output", help="Also write the run to this folder.")
@force
@conventions
@compiling
@as_json
def deploy(network: str, chip: str, input_path: str, labels_path: str | None, engine: str, seed: int, workers: int | None,
           output: str | None, force: bool, as_json: bool, **options: Any) -> None:  # fmt: skip
    """Compile, run and report in one."""
    screen = Screen(as_json)
    image = _compile(screen, network, chip, options)
    run, accuracy = _run_files(screen, image, input_path, labels_path, engine, seed, workers)
    if output:
        _save(run, output, accuracy, force)
    costs = price(run, accuracy=accuracy)
    screen.result(
        costs.as_dict() | {"losses": [asdict(loss) for loss in image.losses]},
        _losses(image.losses),
        *costs.renderables(),
    )


# ---- steps
def _read(screen: Screen, path: str, options: dict[str, Any]) -> Network:
    with screen.warnings():
        return ne.read_nir(path, **options)


def _compile(screen: Screen, network: str, chip: str, options: dict[str, Any]) -> Image:
    compiler = {name: options.pop(name) for name in ("weight_bits", "verbatim", "bias")}
    align, split = not options.pop("no_align"), not options.pop("no_split")
    return ne.compile(_read(screen, network, options), ne.load_chip(chip), align=align, split=split, **compiler)


def _run(screen: Screen, image: Image, inputs: Any, engine: str, seed: int, workers: int | None) -> Run:
    with screen.progress() as progress:
        return ne.run(image, inputs, engine=engine, seed=seed, workers=workers, progress=progress)


def _run_files(
    screen: Screen, image: Image, input_path: str, labels_path: str | None, engine: str, seed: int, workers: int | None
) -> tuple[Run, float | None]:
    inputs, labels = read_arrays(input_path), read_labels(labels_path) if labels_path else None
    run = _run(screen, image, inputs, engine, seed, workers)
    return run, None if labels is None else run.accuracy(labels)


def _save(run: Run, output: str, accuracy: float | None, force: bool) -> None:
    run.save(output, extra={"accuracy": accuracy}, replace=force)


# ---- text
def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _losses(losses: tuple[Loss, ...]) -> Table:
    table = _table("node", "scale", "weight error", "largest", "zeroed", "threshold error", "decay error", "bias error")
    for loss in losses:
        errors = (loss.weight_rms, loss.weight_max)
        rest = (loss.threshold, loss.decay, loss.bias)
        table.add_row(
            loss.node, f"{loss.scale:.6g}", *(f"{e:.2%}" for e in errors), str(loss.zeroed), *(f"{e:.2%}" for e in rest)
        )
    return table


def _weight_bits(chip: Chip) -> int:
    width = chip.bits("weight", "weight")
    assert width is not None
    return width.bits


def _chip_tables(chip: Chip) -> list[Any]:
    facts = ne.chip_facts(chip)
    parts: list[Any] = [f"{chip.name}: {chip.sheet.core.title}, {chip.n_cores} cores"]
    for title, rows in facts["tables"].items():
        table = _table(title, "value", "basis", "source", "note")
        for row in rows:
            table.add_row(row["name"], row["value"], row["basis"], row["source"], row["note"])
        parts.append(table)
    parts.append("unknown (no source states them): " + ", ".join(facts["unknown"]))
    return [*parts, *(rf"\[{key}] {text}" for key, text in chip.sheet.sources.items())]


def _image_facts(image: Image) -> dict[str, Any]:
    return {
        "digest": image.digest,
        "chip": image.chip.name,
        "cores": image.n_cores,
        "lag": image.lag,
        "usage": image.usage,
        "notes": list(image.notes),
        "losses": [asdict(loss) for loss in image.losses],
    }


def _image_text(image: Image) -> list[Any]:
    neurons = sum(population.n for population in image.populations if not population.is_host)
    text = f"{image.chip.name}: {neurons} neurons on {image.n_cores} of {image.chip.n_cores} cores, outputs lag {image.lag} ticks"
    return [_losses(image.losses), text, *(f"note: {note}" for note in image.notes)]


def _run_facts(run: Run, accuracy: float | None) -> dict[str, Any]:
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


def _run_text(run: Run, accuracy: float | None) -> list[str]:
    lines = [
        f"{run.n} presentations of {run.ticks} ticks, {len(run.spikes)} packets, {run.wall_s:.2f} s (kernel {run.compile_s:.2f} s)"
    ]
    return [*lines, f"accuracy: {accuracy:.2%}"] if accuracy is not None else lines


def main() -> None:
    """Run the command line; every error a user can cause is one sentence on standard error."""
    try:
        cli(standalone_mode=False)
    except NeuroemuError as error:
        Screen("--json" in sys.argv).error(str(error))
        sys.exit(1 if isinstance(error, NO) else 2)
    except click.exceptions.Abort:
        print("neuroemu: interrupted", file=sys.stderr)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(2)
