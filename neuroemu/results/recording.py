"""Recordings: every packet of a run in one ``.aer`` file, in canonical order, the same bytes from every engine.

A file is a stream of msgpack objects:

- the *header*, a map: what was run, and how (``Header``);
- *blocks*, arrays ``[n, presentation, tick, channel, source, key, payload, check]``: ``n`` packets, 1..BLOCK, each column as
  little-endian bytes of its type in ``PACKET``, and the first 8 bytes of the running SHA-256 of header and columns so far;
- the *end*, a map ``{packets, sha256}``: without it the file was cut off.

``tick`` is the tick a packet is sent in (it is due in the next, later where synapses delay it); of a packet on channel ``target`` the
tick in which its neuron is told. ``source`` is the network-wide id of the sender, or of the neuron told. ``key`` is what the packet
carries on the network, one row for every core it goes to; NOWHERE for what leaves a neuron and goes to no core. Packets are sorted by
presentation, tick, channel, source and key. Reading and writing hold one block at a time.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import msgpack
import msgspec
import numpy as np
from numpy.typing import NDArray

from neuroemu.base.errors import FileError
from neuroemu.base.files import stream_whole, writable_file
from neuroemu.chip.aer import CHANNELS

FORMAT = 1
MAGIC = "neuroemu.aer"
BLOCK = 1 << 14
"""Packets in a block, but for the last."""
NOWHERE = (1 << 32) - 1
"""The key of a packet to no core; as a key it would be on a channel that does not exist."""
PACKET = np.dtype(
    [("presentation", "<u4"), ("tick", "<u4"), ("channel", "u1"), ("source", "<u4"), ("key", "<u4"), ("payload", "<i4")]
)
ORDER = ("presentation", "tick", "channel", "source", "key")
CHECK_BYTES = 8
MOST_BYTES = 1 << 20
"""Of a header, and of anything else a reader takes into memory at once."""

Packets = NDArray[np.void]
"""An array of PACKET."""
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
FieldBits = Annotated[int, msgspec.Meta(ge=0, le=32)]


class KeyBits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bits of a key's fields, as the datasheet states them."""

    channel: FieldBits
    chip: FieldBits
    core: FieldBits
    axon: FieldBits


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A population: its first neuron's network-wide id, and whether it is on the chip, a host input, or one that was not given."""

    id0: Count
    shape: Annotated[tuple[Count, ...], msgspec.Meta(max_length=64)]
    age: Count
    role: Literal["chip", "input", "silent"]

    @property
    def n(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was run and how; nothing of the engine, so that every engine's recording is the same bytes."""

    format: Literal["neuroemu.aer"] = "neuroemu.aer"
    version: int = FORMAT
    image: str
    """The image's digest."""
    stimulus: str
    """The digest of the stimulus."""
    chip: str
    key: KeyBits
    layers: dict[str, Place]
    seed: Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
    plastic: bool
    commit_every: Count
    first: Annotated[int, msgspec.Meta(ge=0, le=(1 << 62))]
    """The number of the first presentation; packets count presentations from 0."""
    presentations: Count
    ticks: Count
    rows: Count
    lag: Count

    @property
    def neurons(self) -> int:
        """Network-wide ids that exist."""
        return sum(place.n for place in self.layers.values())

    def consistent(self) -> bool:
        """Whether ids follow one another and the times fit; every header of ours is, a hostile one need not be."""
        id0 = 0
        for place in self.layers.values():
            if place.id0 != id0:
                return False
            id0 += place.n
        return id0 < 1 << 32 and self.rows <= self.ticks and self.lag <= self.ticks

    def name(self, source: int) -> str:
        """A neuron by its population: ``hidden[3]``."""
        for name, place in self.layers.items():
            if source < place.id0 + place.n:
                return f"{name}[{source - place.id0}]"
        raise AssertionError(source)


# ---- writing
class RecordingWriter:
    """Takes packets in canonical order, in pieces of any length; blocks do not depend on them."""

    def __init__(self, write: Callable[[bytes], None], header: Header) -> None:
        self.write, self.sha, self.packets = write, hashlib.sha256(), 0
        self.waiting: list[Packets] = []
        self.n_waiting = 0
        packed = msgpack.packb(msgspec.to_builtins(header))
        self.sha.update(packed)
        self.write(packed)

    def append(self, packets: Packets) -> None:
        """Write these packets, which come after those already written."""
        self.waiting.append(packets)
        self.n_waiting += len(packets)
        if self.n_waiting >= BLOCK:
            rows = np.concatenate(self.waiting)
            whole = len(rows) // BLOCK * BLOCK
            for low in range(0, whole, BLOCK):
                self._block(rows[low : low + BLOCK])
            self.waiting, self.n_waiting = [rows[whole:].copy()], len(rows) - whole

    def finish(self) -> None:
        """Write what waits, and the end."""
        if self.n_waiting:
            self._block(np.concatenate(self.waiting))
        self.write(msgpack.packb({"packets": self.packets, "sha256": self.sha.digest()}))

    def _block(self, packets: Packets) -> None:
        columns = [packets[name].tobytes() for name in PACKET.names or ()]
        for column in columns:
            self.sha.update(column)
        self.packets += len(packets)
        self.write(msgpack.packb([len(packets), *columns, self.sha.digest()[:CHECK_BYTES]]))


def writable_recording(path: Path, *, replace: bool) -> None:
    """Refuse a path that cannot be written, or holds a recording that is not to be replaced, or another file. Raises FileError."""
    writable_file(path, replace=replace)
    if path.is_file() and not _looks_like_one(path):
        raise FileError(f"{path}: holds no recording, so it is not replaced; choose another file")


@contextmanager
def write_recording(path: str | os.PathLike[str], header: Header) -> Iterator[RecordingWriter]:
    """Write a recording, whole or not at all; an earlier recording is replaced, another file is not.

    Into a pipe or a device it goes as it comes. Raises FileError, before the block if it can.
    """
    target = Path(path)
    writable_recording(target, replace=True)
    if len(msgpack.packb(msgspec.to_builtins(header))) > MOST_BYTES:
        raise FileError(
            f"{path}: the header of a recording takes at most {MOST_BYTES} bytes; name fewer populations, or shorter"
        )
    with stream_whole(target) as write:
        writer = RecordingWriter(write, header)
        yield writer
        writer.finish()


def _looks_like_one(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return MAGIC.encode() in file.read(64)
    except OSError:
        return False


# ---- reading
class _BreakError(Exception):
    """Here a recording cannot be read further."""


class Recording:
    """A recording on disk. Iterating reads it from the start, block by block, each an array of PACKET.

    A file that was cut off or damaged raises FileError there; with ``strict=False`` iterating ends there, and ``broken`` says where.
    """

    def __init__(self, path: str | os.PathLike[str], *, strict: bool = True) -> None:
        self.path, self.strict = Path(path), strict
        self.packets = 0
        """Read so far."""
        self.broken: str | None = None
        with self._opened() as file:
            self.header = self._header(_unpacker(file))

    def __iter__(self) -> Iterator[Packets]:
        self.packets, self.broken = 0, None
        n, last = 0, np.empty(0, PACKET)
        with self._opened() as file:
            unpacker = _unpacker(file)
            sha = hashlib.sha256(msgpack.packb(msgspec.to_builtins(self._header(unpacker))))
            while True:
                try:
                    found = _next(unpacker)
                    if isinstance(found, dict):
                        _check_end(found, n, sha.digest(), unpacker)
                        return
                    block = _block(found, sha)
                    self._check(block, last)
                except _BreakError as reason:
                    self._break(str(reason), n, last)
                    return
                n, last = n + len(block), block[-1:]
                self.packets = n
                yield block

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            with self.path.open("rb") as file:
                yield file
        except FileError:
            raise
        except OSError as error:
            raise FileError(
                f"{self.path}: cannot be read ({error.strerror}); give the path of a recording, made with --record"
            ) from None

    def _header(self, unpacker: msgpack.Unpacker) -> Header:
        try:
            found = _next(unpacker)
            if isinstance(found, dict) and found.get("format") == MAGIC and found.get("version") != FORMAT:
                raise FileError(
                    f"{self.path}: the recording is of another format; this neuroemu reads format {FORMAT}, record the run again"
                )
            header = msgspec.convert(found, Header)
        except (_BreakError, msgspec.ValidationError):
            header = None
        if header is None or not header.consistent():
            raise FileError(f"{self.path}: is not a recording, or its header is damaged; make one with --record")
        return header

    def _check(self, block: Packets, last: Packets) -> None:
        """Every packet is of a neuron, tick and presentation that exist, and comes after the one before."""
        header = self.header
        limits = {"presentation": header.presentations, "tick": header.ticks, "channel": len(CHANNELS)}
        for name, limit in (limits | {"source": header.neurons}).items():
            if int(block[name].max()) >= limit:
                raise _BreakError("is damaged")
        rows = np.concatenate([last, block])
        earlier, later = rows[:-1], rows[1:]
        equal, after = np.ones(len(earlier), bool), np.zeros(len(earlier), bool)
        for name in ORDER:
            after |= equal & (later[name] > earlier[name])
            equal &= later[name] == earlier[name]
        if not np.all(after | equal):
            raise _BreakError("is damaged")

    def _break(self, reason: str, n: int, last: Packets) -> None:
        where = f", in presentation {last['presentation'][0]}, tick {last['tick'][0]}" if n else ""
        self.broken = f"{reason} after {n} packets{where}"
        if self.strict:
            raise FileError(
                f"{self.path}: the recording {self.broken}; record the run again, or read what is there with strict=False"
            )


def open_recording(path: str | os.PathLike[str], *, strict: bool = True) -> Recording:
    """Open a recording: its ``header`` is there at once, iterating gives its packets. Raises FileError if it is not one."""
    return Recording(path, strict=strict)


def _unpacker(file: BinaryIO) -> msgpack.Unpacker:
    """Every length is bounded, so a hostile file cannot make it allocate."""
    return msgpack.Unpacker(
        file,
        read_size=1 << 16,
        max_buffer_size=2 * MOST_BYTES,
        max_str_len=MOST_BYTES,
        max_bin_len=BLOCK * 4,
        max_array_len=64,
        max_map_len=MOST_BYTES,
        max_ext_len=0,
    )


def _next(unpacker: msgpack.Unpacker) -> Any:
    try:
        return unpacker.unpack()
    except msgpack.OutOfData:
        raise _BreakError("breaks off") from None
    except (ValueError, TypeError, msgpack.UnpackException):
        raise _BreakError("is damaged") from None


def _block(found: Any, sha: hashlib._Hash) -> Packets:
    """The packets of a block whose check is right."""
    if not isinstance(found, list) or len(found) != len(PACKET.names or ()) + 2:
        raise _BreakError("is damaged")
    n, *columns, check = found
    if type(n) is not int or not 0 < n <= BLOCK:
        raise _BreakError("is damaged")
    block = np.empty(n, PACKET)
    for name, column in zip(PACKET.names or (), columns, strict=True):
        if not isinstance(column, bytes) or len(column) != n * PACKET[name].itemsize:
            raise _BreakError("is damaged")
        sha.update(column)
        block[name] = np.frombuffer(column, PACKET[name])
    if check != sha.digest()[:CHECK_BYTES]:
        raise _BreakError("is damaged")
    return block


def _check_end(end: dict[Any, Any], n: int, digest: bytes, unpacker: msgpack.Unpacker) -> None:
    if end != {"packets": n, "sha256": digest} or unpacker.read_bytes(1):
        raise _BreakError("is damaged")
