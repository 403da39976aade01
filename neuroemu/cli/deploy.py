"""From a NIR file to joules: demo, compile, run, report, deploy."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import click

import neuroemu as ne
from neuroemu.cli import steps
from neuroemu.cli.options import as_json, chip_option, compiling, conventions, force, running
from neuroemu.cli.screen import Screen
from neuroemu.cli.show import image_facts, image_text, losses, run_facts, run_text
from neuroemu.engines.available import runnable
from neuroemu.results.report import report as price


@click.command()
@click.option("--chip", default="loihi1", show_default=True, help="A shipped chip's name, or the path of a datasheet.")
@click.option("--weight-bits", type=int, help="Bits of a weight [8, or what the chip has].")
@click.option("--data", help="Folder of the demo's files [those shipped].")
@as_json
def demo(chip: str, weight_bits: int | None, data: str | None, as_json: bool) -> None:
    """Deploy a trained network for handwritten digits onto a chip, and check the engines against each other."""
    screen = Screen(as_json)
    path, inputs, labels = ne.demo_data(data)
    network = steps.read(screen, str(path), {})
    loaded = ne.load_chip(chip)
    width = loaded.weight_width
    bits = min(8, width.bits) if weight_bits is None else weight_bits
    image = ne.compile(network, loaded, weight_bits=bits)
    run = steps.execute(screen, image, inputs)
    accuracy, exact = run.accuracy(labels), ne.simulate(network, inputs).accuracy(labels)
    few = inputs[:, :12]
    runs = {engine: steps.execute(screen, image, few, engine=engine) for engine in runnable()}
    difference = next((found for other in runs.values() if (found := runs["cpu"].differs(other))), None)
    costs = price(run, accuracy=accuracy)
    screen.result(
        costs.as_dict()
        | {"float_accuracy": exact, "engines_agree": difference is None, "packets_compared": len(runs["cpu"].spikes)},
        f"digits.nir, trained by snnTorch, on {chip} with {bits}-bit weights, {run.n} test samples",
        losses(image.losses),
        *costs.renderables(),
        f"accuracy in float: {exact:.2%}",
        f"engines {', '.join(runs)}: the same bits on {few.shape[1]} samples ({len(runs['cpu'].spikes)} packets, all counts, registers)"
        if difference is None
        else f"engines differ: {difference}",
    )
    sys.exit(0 if difference is None else 1)


@click.command("compile")
@click.argument("network")
@chip_option
@click.option("-o", "--output", required=True, help="The image to write.")
@force
@conventions
@compiling
@as_json
def compile_(network: str, chip: str, output: str, force: bool, as_json: bool, **options: Any) -> None:
    """Compile a network (NIR, or lava-dl's .net) into an image for a chip."""
    screen = Screen(as_json)
    steps.outputs(force, output)
    image = steps.build(screen, network, chip, options)
    image.save(output)
    screen.result(image_facts(image) | {"image": output}, *image_text(image), f"wrote {output} ({image.digest[:12]})")


@click.command("run")
@click.argument("image")
@running
@click.option("-o", "--output", required=True, help="The folder to write the run to.")
@force
@as_json
def run_(
    image: str,
    input_path: str | None,
    ticks: int | None,
    labels_path: str | None,
    output: str,
    force: bool,
    as_json: bool,
    **how: Any,
) -> None:
    """Run an image on input events, whose rows are its ticks, or for --ticks without input."""
    screen = Screen(as_json)
    steps.outputs(force, run=output, record=how["record"])
    given = steps.given(input_path, ticks, labels_path)
    run, accuracy = steps.run_given(screen, ne.load_image(image), given, how)
    steps.save(run, output, accuracy, force)
    screen.result(run_facts(run, accuracy) | {"run": output}, *run_text(run, accuracy), f"wrote {output}")


@click.command("report")
@click.argument("run")
@click.option("--prices", help="Price with another chip's datasheet.")
@as_json
def report_(run: str, prices: str | None, as_json: bool) -> None:
    """Price a run: events, energy by provenance, time bound."""
    costs = price(ne.load_run(run), prices=ne.load_chip(prices) if prices else None, accuracy=ne.stored_accuracy(run))
    Screen(as_json).result(costs.as_dict(), *costs.renderables())


UNCHECKED = (
    "conventions (dt, reset, ...) are assumed, not checked: neuroemu match finds those of a recording, --expect holds "
    "the chip to one"
)
"""What a NIR file cannot say decides what network runs; without a recording nobody knows whether it was meant."""


@click.command()
@click.argument("network")
@chip_option
@running
@click.option("-o", "--output", help="Also write the run to this folder.")
@click.option("--expect", "expect_path", help="Spikes another framework gave; exit code 1 if the chip's are others.")
@click.option("--explain", is_flag=True, help="Show where the chip's integers leave the float network, layer by layer.")
@force
@conventions
@compiling
@as_json
def deploy(
    network: str,
    chip: str,
    input_path: str | None,
    ticks: int | None,
    labels_path: str | None,
    output: str | None,
    expect_path: str | None,
    explain: bool,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Compile, run and report in one."""
    screen = Screen(as_json)
    how = steps.pick_running(options)
    steps.outputs(force, run=output, record=how["record"])
    given = steps.given(input_path, ticks, labels_path)
    image = steps.build(screen, network, chip, options)
    run, accuracy = steps.run_given(screen, image, given, how)
    if output:
        steps.save(run, output, accuracy, force)
    costs = price(run, accuracy=accuracy)
    found = steps.explanation(network, image, given, run, options) if explain else None
    score = steps.expectation(network, run, expect_path, options) if expect_path else None
    screen.result(
        costs.as_dict()
        | {"losses": [asdict(loss) for loss in image.losses]}
        | ({"explanation": found.as_dict()} if found else {})
        | {"expected": asdict(score) if score else None},
        *([] if found else [losses(image.losses)]),
        *costs.renderables(),
        *(found.renderables() if found else []),
        *([f"expected spikes: {score}"] if score else [UNCHECKED] if not network.endswith(".net") else []),
    )
    if score and score.wrong:
        sys.exit(1)
