"""Recordings as AEDAT 2.0, which jAER and most event-camera tools read: big-endian 32-bit address and 32-bit time in microseconds.

The format has no payload and no cores: one event for each send, its address the neuron's number. Time is a signed 32-bit number
in jAER, so a recording that lasts longer than 2^31 us is refused rather than wrapped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from neuroemu.base.errors import FileError
from neuroemu.base.files import stream_whole
from neuroemu.base.shelf import unknown
from neuroemu.chip.aer import CHANNELS
from neuroemu.results.packets import sends
from neuroemu.results.recording import Header, Packets, Recording, open_recording

TIME_LIMIT_US = 1 << 31
EVENT = np.dtype([("address", ">u4"), ("time_us", ">u4")])


def to_aedat2(
    recording: Recording | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    tick_us: int = 1000,
    population: str | None = None,
    channels: Iterable[str] = ("spike", "input"),
    drop_payloads: bool = False,
) -> int:
    """Write a recording's sends as AEDAT 2.0, and return how many there were.

    A tick lasts ``tick_us``, presentations follow one another. With ``population`` only its neurons, numbered from 0, else every
    neuron by its network-wide id. An earlier file is replaced. Raises FileError if the time does not fit or, unless
    ``drop_payloads``, if a payload is not 1;
    UnknownNameError for a population or channel that does not exist.
    """
    source = recording if isinstance(recording, Recording) else open_recording(recording)
    header, written = source.header, 0
    low, high = _ids(header, population)
    numbers = [_number(channel) for channel in channels]
    _check_time(header, Path(path), tick_us)
    with stream_whole(Path(path)) as write:
        write(_head(header, population, tick_us))
        for block in sends(source):
            inside = np.isin(block["channel"], numbers) & (block["source"] >= low) & (block["source"] < high)
            chosen = block[inside]
            if not drop_payloads:
                _check_payloads(header, chosen, Path(path))
            events = np.empty(len(chosen), EVENT)
            events["address"] = chosen["source"] - low
            tick = chosen["presentation"].astype(np.int64) * header.ticks + chosen["tick"]
            events["time_us"] = tick * tick_us
            write(events.tobytes())
            written += len(chosen)
    return written


def _ids(header: Header, population: str | None) -> tuple[int, int]:
    if population is None:
        return 0, header.neurons
    if population not in header.layers:
        raise unknown("population", population, header.layers)
    place = header.layers[population]
    return place.id0, place.id0 + place.n


def _number(channel: str) -> int:
    if channel not in CHANNELS:
        raise unknown("channel", channel, CHANNELS)
    return CHANNELS[channel]


def _check_time(header: Header, path: Path, tick_us: int) -> None:
    ticks = header.presentations * header.ticks
    if tick_us < 1 or ticks * tick_us > TIME_LIMIT_US:
        raise FileError(
            f"{path}: {ticks} ticks of {tick_us} us do not fit AEDAT 2.0, which counts from 0 to {TIME_LIMIT_US - 1} us; take from 1 to "
            f"{TIME_LIMIT_US // max(ticks, 1)} us a tick, or record fewer presentations"
        )


def _check_payloads(header: Header, chosen: Packets, path: Path) -> None:
    if np.any(chosen["payload"] != 1):
        wrong = chosen[chosen["payload"] != 1][0]
        raise FileError(
            f"{path}: a packet of {header.name(int(wrong['source']))} carries payload {wrong['payload']}, AEDAT 2.0 has none; write the "
            "addresses alone with drop_payloads=True (--drop-payloads)"
        )


def _head(header: Header, population: str | None, tick_us: int) -> bytes:
    """The comment lines; jAER takes what follows the last one as data."""
    shown = {population: header.layers[population]} if population else header.layers
    shift = header.layers[population].id0 if population else 0
    lines = [
        "!AER-DAT2.0",
        " This is a raw AE data file - do not edit",
        " Data format is int32 address, int32 timestamp (8 bytes total), repeated for each event",
        " Timestamps tick is 1 us",
        f" neuroemu: a tick is {tick_us} us, a presentation {header.ticks} ticks, image {header.image}",
        *(
            f" neuroemu: addresses {place.id0 - shift}..{place.id0 - shift + place.n - 1} are {name!a}"
            for name, place in shown.items()
        ),
        "End Of ASCII Header",
    ]
    return "".join(f"#{line}\r\n" for line in lines).encode("ascii")
