"""Recorded packets: replay them, and name the first difference."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import click

import neuroemu as ne
from neuroemu.base.errors import FileError
from neuroemu.cli import steps
from neuroemu.cli.options import POSITIVE, as_json, engine_option, force
from neuroemu.cli.screen import Screen
from neuroemu.cli.show import run_facts, run_text


@click.command()
@click.argument("a")
@click.argument("b")
@as_json
def diff(a: str, b: str, as_json: bool) -> None:
    """Compare two runs bit for bit, or two recordings (.aer) packet by packet, and name the first difference.

    Exit code 1 if there is one.
    """
    recorded = [Path(path).is_file() for path in (a, b)]
    if recorded[0] != recorded[1]:
        one, other = (a, b) if recorded[0] else (b, a)
        raise FileError(f"{one}: is a file, {other} is not; compare two recordings, or the folders of two runs")
    if recorded[0]:
        _recordings(a, b, Screen(as_json))
    first, second = ne.load_run(a), ne.load_run(b)
    difference = first.differs(second)
    same = f"equal: {len(first.spikes)} packets, all counts and registers"
    Screen(as_json).result(
        {"equal": difference is None, "difference": difference, "packets": len(first.spikes)}, difference or same
    )
    sys.exit(0 if difference is None else 1)


def _recordings(a: str, b: str, screen: Screen) -> NoReturn:
    found = ne.diff_recordings(ne.open_recording(a), ne.open_recording(b))
    difference = found.difference
    how = "" if found.same_image else " (of different images, so without keys)"
    screen.result(
        {
            "equal": difference is None,
            "difference": difference and difference.text,
            "packets": found.packets,
            "same_image": found.same_image,
            "packet": difference and asdict(difference),
        },
        difference.text if difference else f"equal: {found.packets} packets{how}",
    )
    sys.exit(0 if difference is None else 1)


@click.command()
@click.argument("recording")
@click.argument("image")
@engine_option("Whichever it was recorded on.")
@click.option("--workers", type=POSITIVE, help="Threads of engine cpu [one a processor].")
@click.option("--any-image", is_flag=True, help="Take another image than the recorded one, with the same inputs.")
@click.option("-o", "--output", help="Also write the run to this folder.")
@force
@as_json
def replay(recording: str, image: str, engine: str, workers: int | None, any_image: bool, output: str | None, force: bool,
           as_json: bool) -> None:  # fmt: skip
    """Run a recording's input again and compare every packet with the recorded one.

    Exit code 1 if a packet differs.
    """
    screen = Screen(as_json)
    steps.outputs(force, run=output)
    with screen.progress() as progress:
        done = ne.replay(
            recording, ne.load_image(image), engine=engine, any_image=any_image, workers=workers, progress=progress
        )
    if output:
        steps.save(done.run, output, None, force)
    difference = done.difference
    verdict = difference.text if difference else f"equal to the recording: {done.comparison.packets} packets"
    screen.result(
        run_facts(done.run, None) | {"equal": difference is None, "difference": difference and asdict(difference)},
        *run_text(done.run, None),
        verdict,
    )
    sys.exit(0 if difference is None else 1)


@click.command()
@click.argument("recording")
@click.argument("output")
@click.option("--tick-us", type=POSITIVE, default=1000, show_default=True, help="Microseconds a tick lasts.")
@click.option("--population", help="Only this population, its neurons numbered from 0 [all, by network-wide id].")
@click.option("--drop-payloads", is_flag=True, help="Write addresses alone where packets carry payloads.")
@force
@as_json
def export(
    recording: str,
    output: str,
    tick_us: int,
    population: str | None,
    drop_payloads: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write a recording's spikes and input as AEDAT 2.0, for jAER and other tools."""
    steps.outputs(force, output)
    n = ne.to_aedat2(recording, output, tick_us=tick_us, population=population, drop_payloads=drop_payloads)
    Screen(as_json).result({"events": n, "output": output}, f"wrote {output}: {n} events")
