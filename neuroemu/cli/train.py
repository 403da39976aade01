"""Training from the command line."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from neuroemu.base.errors import NetworkError
from neuroemu.cli import steps
from neuroemu.cli.options import POSITIVE, as_json, assume_option, assumed, engine_option, force
from neuroemu.cli.screen import Screen
from neuroemu.cli.show import table
from neuroemu.learning.encoders import ENCODERS
from neuroemu.learning.learned import learned
from neuroemu.learning.training import Training
from neuroemu.learning.training_plan import Plan, follow, load_plan, plan_of
from neuroemu.learning.watch import Watch
from neuroemu.nir.write import write_nir
from neuroemu.results.report_units import FJ, amount


@click.command("train")
@click.argument("plan")
@click.option("--rule", help="For a NIR file: the rule's name, or the path of a rule file.")
@click.option("--data", help="For a NIR file: digits, fashion-mnist, mnist, or the path of a data set.")
@click.option(
    "--chip", default="atlas", show_default=True, help="For a NIR file: a shipped chip's name, or a datasheet."
)
@assume_option
@click.option("--encoder", type=click.Choice(list(ENCODERS)), help="How values become packets [what suits the rule].")
@click.option("--ticks", type=POSITIVE, help="Ticks of input [what the rule's phases leave].")
@click.option("--train", type=POSITIVE, help="Use only so many training samples.")
@click.option("--epochs", type=POSITIVE, default=1, show_default=True)
@click.option("--commit-every", type=POSITIVE, default=1, show_default=True, help="Presentations until weights change.")
@click.option("--freeze", multiple=True, help="A projection or population that does not learn; may be repeated.")
@click.option("--patience", type=POSITIVE, help="Stop after so many epochs without a better test accuracy.")
@engine_option("All give the same bits.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--checkpoint", help="A file to go on from, and to write while training.")
@click.option("-o", "--output", help="Write the trained image here.")
@click.option("--network-out", help="Write the trained network here as NIR.")
@click.option("--history", help="Write accuracy, spikes and energy by epoch here (.json or .csv).")
@force
@as_json
def train_(plan: str, force: bool, as_json: bool, **options: Any) -> None:
    """Train on the emulated chip: PLAN is a TOML file (docs/training.md), or a NIR file with --rule and --data."""
    screen = Screen(as_json)
    wanted = _from_nir(plan, options) if plan.endswith(".nir") else _from_toml(plan)
    write = wanted.write
    steps.outputs(force, write.image, write.network, write.history, write.watch)
    asked = wanted.watch
    watch = Watch(asked.weights, asked.registers, asked.angles, asked.every)
    try:
        with screen.warnings(), screen.progress() as progress:
            done, network = follow(wanted, progress, plan, watch)
    except KeyboardInterrupt:
        if wanted.training.checkpoint and Path(wanted.training.checkpoint).is_file():
            kept = f"{wanted.training.checkpoint} holds what is done; the same command goes on from there"
            print(f"neuroemu: {kept}", file=sys.stderr)
        raise
    if wanted.write.image:
        done.image.save(wanted.write.image)
    if wanted.write.history:
        done.save_history(wanted.write.history)
    if wanted.write.watch:
        watch.save(wanted.write.watch)
    if wanted.write.network:
        with screen.warnings():
            write_nir(learned(network, done.image), wanted.write.network)
    result = {"epochs": [asdict(epoch) for epoch in done.history], "stopped_early": done.stopped_early}
    found = {"image": done.image.digest, "warnings": [finding.as_dict() for finding in watch.findings]}
    screen.result(result | found, *_text(done, wanted), *(f"warning: {finding}" for finding in watch.findings))


def _from_toml(path: str) -> Plan:
    """The file says everything: an option beside it would be lost without a word."""
    context = click.get_current_context()
    for name in context.params:
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in ("plan", "force", "as_json"):
            option = name.replace("_", "-")
            raise NetworkError(f"{path}: option --{option} is for NIR files; say it in the TOML file")
    return load_plan(path)


def _from_nir(path: str, options: dict[str, Any]) -> Plan:
    if not options["rule"] or not options["data"]:
        raise NetworkError(f"{path}: training a NIR file needs --rule and --data; give both, or a TOML file")
    how = ("epochs", "commit_every", "patience", "engine", "seed", "checkpoint")
    raw = {
        "network": path,
        "chip": options["chip"],
        "assume": assumed(options["assume"]),
        "rule": {"name": options["rule"]},
        "data": {"name": options["data"], **{name: options[name] for name in ("encoder", "ticks", "train")}},
        "training": {"frozen": list(options["freeze"]), **{name: options[name] for name in how}},
        "write": {"image": options["output"], "network": options["network_out"], "history": options["history"]},
    }
    return plan_of(raw, path)


def _text(done: Training, plan: Plan) -> list[Any]:
    rows = table("epoch", "train", "test", "spikes a sample", "energy a sample", "of it learning", "seconds")
    for e in done.history:
        test = "" if e.test_accuracy is None else f"{e.test_accuracy:.2%}"
        energy, learning = amount(e.energy_fj, FJ), amount(e.learning_fj, FJ)
        rows.add_row(
            str(e.epoch + 1), f"{e.train_accuracy:.2%}", test, f"{e.spikes:,.1f}", energy, learning, f"{e.wall_s:.1f}"
        )
    early = ["stopped early: the test accuracy no longer rose"] if done.stopped_early else []
    kept = (
        f"wrote {plan.write.image}"
        if plan.write.image
        else "not written; -o, or image of a plan's [write], says where to"
    )
    return [rows, *early, f"trained image {done.image.digest[:12]}: {kept}"]
