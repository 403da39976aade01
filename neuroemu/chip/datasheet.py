"""The schema of a chip's datasheet: which tables and figures a TOML file in ``cores/`` may hold.

Every number about silicon is a Figure: a value with its unit, its basis and its source. What no source states is left out
and stays *unknown*; it is never zero. ``EVENTS`` says what each priced event is: its name is at once the count's key and
the key of its figure in ``[energy]``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

Basis = Literal["silicon", "simulated", "derived", "estimated", "fit"]
BASES: tuple[Basis, ...] = ("silicon", "simulated", "derived", "estimated", "fit")
MOST_TILES = 1 << 20
"""Columns, rows and cores a tile of a mesh, each; the largest machines built have a million cores."""
Count = Annotated[int, Meta(ge=1, le=MOST_TILES)]
Index = Annotated[int, Meta(ge=0, le=MOST_TILES)]
Number = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Setting = Annotated[int, Meta(ge=0, le=1)]
BitCount = Annotated[int, Meta(ge=0, le=32)]

MOST = {
    "weight_shift": 31, "word_bits": 1 << 16, "delay": 1 << 20, "shared_kernels": 1,
    "fifo": 1 << 16, "inject_fifo": 1 << 16, "eject_fifo": 1 << 16, "flits_spike": 1 << 10, "flits_payload": 1 << 10,
}  # fmt: skip
"""The largest capacities and depths that mean anything: a port has 64 bits for a weight of 32 and its shift, a presentation 2^20
ticks, and tables are as long as a FIFO is deep. The others only limit what a network may ask for."""
MOST_TIME_PS = 10**12
"""A second: what a figure of [time] may be, so that the times of a run's ticks add up within 64 bits."""
WIDEST_WEIGHT = 32
"""Bits of a stored weight, as images hold them."""

ENERGY_UNITS = {"fJ": 1, "pJ": 1000, "nJ": 1000_000, "uJ": 1000_000_000}
TIME_UNITS = {"ps": 1, "ns": 1000, "us": 1000_000, "ms": 1000_000_000}
POWER_UNITS = {"nW": 1, "uW": 1000, "mW": 1000_000, "W": 1000_000_000}


class Figure(Struct, frozen=True, forbid_unknown_fields=True):
    """One number about silicon, or the statement that there is none to give."""

    value: Decimal | None = None
    points: list[tuple[Index, Decimal]] | None = None
    """Where a figure depends on a count (the barrier on tiles): published (count, value) pairs, ascending."""
    unit: str = ""
    basis: Basis | None = None
    source: str = ""
    note: str = ""
    included_in: str = ""
    """Name of the event whose figure already covers this one."""
    not_applicable: bool = False


class RegisterTable(Struct, frozen=True, forbid_unknown_fields=True):
    """A register's width: two's complement, ``bits`` wide, and what happens when a value does not fit."""

    bits: Annotated[int, Meta(ge=2, le=64)]
    overflow: Literal["saturate", "wrap"]
    basis: Basis
    source: str
    note: str = ""
    min: Number | None = None
    """For ``weight``: the least value the silicon stores, where it is more than the bits hold (magnitudes, single bits)."""
    max: Number | None = None


class Range(Struct, frozen=True, forbid_unknown_fields=True):
    """What a program's parameter may be on this chip: ``min`` to ``max`` in steps of ``step``."""

    min: Number
    max: Number
    basis: Basis
    source: str
    step: Count = 1
    note: str = ""


class Programs(Struct, frozen=True, forbid_unknown_fields=True):
    """Neuron programs the silicon runs, and the only values of their switches it has."""

    any: bool = False
    names: list[str] = []
    switches: dict[str, Setting] = {}
    rules: list[str] | None = None
    """Rule programs the silicon runs; absent: any that fits its registers."""
    timed: list[str] = []
    """Neuron programs whose every tick is a time reference: an event that visits ``row_synapses`` too."""
    basis: Basis | None = None
    source: str = ""
    note: str = ""


class Feature(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the chip has a feature of FEATURES. An absent feature is unknown: no source states it either way."""

    has: bool
    basis: Basis
    source: str
    note: str = ""


FEATURES: dict[str, tuple[str, str]] = {
    "graded_payload": ("a graded payload", "a packet carries a number; stated by `payload`, not here"),
    "channels": ("channels beside spike", "a neuron sends on `error`, `probe` or `inhibit` too"),
    "modulators": ("modulation by the host", "the host gives every neuron of a population a value at a tick (label, target, reward)"),
    "phases": ("phases of a presentation", "hooks read `phase` and `phase_tick`"),
    "winner_unit": ("a winner unit", "of neurons that compete in a core, only the largest of a group or neighbourhood is kept"),
    "mirrors": ("mirrored synapses", "two projections hold the same weights, and both learn"),
    "deferred_commit": ("a deferred commit", "changes are summed over presentations, and made in `commit` hooks"),
}  # fmt: skip
"""What not every chip's rule unit has: the words of messages, and what it is."""


class CoreTable(Struct, frozen=True, forbid_unknown_fields=True):
    """What one core holds. An absent limit is no limit."""

    name: str
    title: str
    programs: Programs
    registers: dict[str, RegisterTable]
    """By register name (``u``), else by role (``state``); ``port`` and ``weight`` are required."""
    weight_shift: Figure
    """Left shift from stored weights to the port they are added to."""
    parameters: dict[str, Range] = {}
    neurons: Figure | None = None
    axons_in: Figure | None = None
    axons_out: Figure | None = None
    synapse_words: Figure | None = None
    word_bits: Figure | None = None
    delay: Figure | None = None
    payload: Figure | None = None
    """Bits of a graded payload; absent means no source states one, ``not_applicable`` that the source states there is none."""
    shared_kernels: Figure | None = None
    """1 if a core stores a convolution's kernel once; absent means that every synapse takes its own memory."""
    targets: Figure | None = None
    """Routing entries of one neuron: the cores its packets go to."""
    axon_kinds: Figure | None = None
    """Different pairs of ports and delay among the synapses of one axon."""
    own_rows: Figure | None = None
    """1 if a packet of a core's own neuron finds the row (axon) of the neuron's address: where any neuron sends to its own core, each
    takes one of ``axons_in``, used or not, and sources from elsewhere have the rest."""
    row_synapses: Figure | None = None
    """Synapses of a crossbar's row: what each event visits and ``energy.visit`` prices, whatever the weights."""
    serial: Figure | None = None
    """1 if a core does one thing at a time: it works on what it took in when its own somas, packets and rules are done."""
    tick_events: Figure | None = None
    """Packets that may reach one neuron in a tick before the order in which the silicon takes them matters; a run with more notes it."""
    features: dict[str, Feature] = {}
    """What the chip has or lacks of FEATURES; an absent one is unknown."""


class MeshTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Tiles in a rectangle, XY-routed; cores are numbered tile by tile, tiles row by row."""

    width: Count
    height: Count
    cores_per_tile: Count
    basis: Basis
    source: str
    note: str = ""


class KeyFields(Struct, frozen=True, forbid_unknown_fields=True):
    """Bits of a packet's 32-bit key, from the top: channel, chip, core, axon."""

    channel: BitCount
    chip: BitCount
    core: BitCount
    axon: BitCount
    basis: Basis
    source: str
    note: str = ""


class Energy(Struct, frozen=True, forbid_unknown_fields=True):
    """What one event costs; the events are described in EVENTS."""

    host_packet: Figure | None = None
    send: Figure | None = None
    packet: Figure | None = None
    hop_x: Figure | None = None
    hop_y: Figure | None = None
    axon_in: Figure | None = None
    synop: Figure | None = None
    visit: Figure | None = None
    synapse_read: Figure | None = None
    synapse_write: Figure | None = None
    soma_active: Figure | None = None
    soma_idle: Figure | None = None
    soma_read: Figure | None = None
    soma_write: Figure | None = None
    soma_add: Figure | None = None
    soma_multiply: Figure | None = None
    soma_compare: Figure | None = None
    soma_shift: Figure | None = None
    soma_lookup: Figure | None = None
    soma_random: Figure | None = None
    weight_update: Figure | None = None
    rule_read: Figure | None = None
    rule_write: Figure | None = None
    rule_add: Figure | None = None
    rule_multiply: Figure | None = None
    rule_compare: Figure | None = None
    rule_shift: Figure | None = None
    rule_lookup: Figure | None = None
    rule_random: Figure | None = None
    barrier: Figure | None = None


class Time(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a unit is busy, or a packet under way (timing.md gives the model)."""

    inject: Figure | None = None
    hop_x: Figure | None = None
    hop_y: Figure | None = None
    eject: Figure | None = None
    flit: Figure | None = None
    eject_flit: Figure | None = None
    credit: Figure | None = None
    axon_in: Figure | None = None
    synop: Figure | None = None
    reference: Figure | None = None
    soma_active: Figure | None = None
    soma_idle: Figure | None = None
    send: Figure | None = None
    packet: Figure | None = None
    host_packet: Figure | None = None
    rule_operation: Figure | None = None
    barrier: Figure | None = None


class NocTable(Struct, frozen=True, forbid_unknown_fields=True):
    """The network-on-chip beyond its latencies: packets a FIFO holds, flits a packet takes, and where the host is attached."""

    fifo: Figure | None = None
    """Depth of a router's input from another router."""
    inject_fifo: Figure | None = None
    eject_fifo: Figure | None = None
    flits_spike: Figure | None = None
    """Flits of a packet of payload 1."""
    flits_payload: Figure | None = None
    """Flits of a packet that carries a payload."""
    host_tile: Index = 0


class Power(Struct, frozen=True, forbid_unknown_fields=True):
    """Power drawn whatever happens, for the whole chip."""

    static: Figure | None = None


class Datasheet(Struct, frozen=True, forbid_unknown_fields=True):
    """One chip."""

    core: CoreTable
    mesh: MeshTable
    key: KeyFields
    sources: dict[str, str]
    energy: Energy = Energy()
    time: Time = Time()
    noc: NocTable = NocTable()
    power: Power = Power()


class Event(Struct, frozen=True):
    """A countable event: the hardware unit it belongs to and what one of it is."""

    unit: str
    meaning: str


_OPERATION = "one {} of a {} hook, by the checker's static count"

EVENTS: dict[str, Event] = {
    "host_packet": Event("host", "packet sent by the host into the chip"),
    "send": Event("axon-out", "neuron that sends on a channel in a tick"),
    "packet": Event("router", "packet leaving a core: one per routing entry of a sending neuron"),
    "hop_x": Event("router", "packet crossing a link east or west"),
    "hop_y": Event("router", "packet crossing a link north or south"),
    "axon_in": Event("axon-in", "packet taken in by a core"),
    "synop": Event("synapse", "weight added to a neuron's port"),
    "visit": Event("synapse", "synapse of a crossbar's row that an event visits, whatever its weight; where `row_synapses` is stated"),
    "synapse_read": Event("synapse", "word read from synapse memory"),
    "synapse_write": Event("synapse", "word written to synapse memory"),
    "soma_active": Event("soma", "soma update in a tick in which a synop reached the neuron"),
    "soma_idle": Event("soma", "soma update in a tick in which none did"),
    "soma_read": Event("soma", "word of neuron registers read"),
    "soma_write": Event("soma", "word of neuron registers written"),
    **{f"soma_{op}": Event("soma", _OPERATION.format(op, "neuron")) for op in
       ("add", "multiply", "compare", "shift", "lookup", "random")},
    "weight_update": Event("rule", "hook invocation that writes a weight"),
    "rule_read": Event("rule", "word of axon or neuron registers read by a rule hook"),
    "rule_write": Event("rule", "word of axon or neuron registers written by a rule hook"),
    **{f"rule_{op}": Event("rule", _OPERATION.format(op, "rule")) for op in
       ("add", "multiply", "compare", "shift", "lookup", "random")},
    "barrier": Event("chip", "end of a tick"),
}  # fmt: skip
"""Every priced event, by the name of its count and of its figure in ``[energy]``."""


def json_schema() -> dict[str, Any]:
    """The JSON schema of a datasheet, for editors that complete and check TOML."""
    schema = msgspec.json.schema(Datasheet)
    schema["title"] = "neuroemu datasheet"

    def plain(node: Any) -> Any:
        if isinstance(node, dict):
            if node.get("format") == "decimal":
                return {"type": "number"}
            return {key: plain(value) for key, value in node.items()}
        return [plain(value) for value in node] if isinstance(node, list) else node

    result = plain(schema)
    assert isinstance(result, dict)
    return result
