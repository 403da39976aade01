"""The firmware language: what a program may name, call and write.

A program is a module of plain functions over integer scalars (docs/firmware.md). Annotations say what an argument is, the
names in the last ``return`` are what is written back. The intrinsics below are the *only* functions a program may call
besides ``min``, ``max`` and ``abs``. Their source is the single definition of the arithmetic: it runs as it stands on
Python integers (engines ``python`` and ``event``) and is copied, as text, into the kernels that Numba compiles.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from neuroemu.chip.aer import CHANNELS


@dataclass(frozen=True)
class Role:
    """What an argument of a hook is. Calling it narrows the declaration: ``State(16)``, ``Param(0, 4096)``, ``Table(256)``."""

    kind: str

    def __call__(self, *limits: int, init: int | None = None) -> Role:
        """Return the role itself: limits and start value are read from the source text, never from here."""
        del limits, init
        return self


# registers of the hook's own level (neuron or synapse)
State = Role("state")  # reset when a presentation begins
Keep = Role("keep")  # survives presentations
Weight = Role("weight")  # changes at commit; at once if the program is ONLINE
Sum = Role("sum")  # exact sum over the presentations of a commit
# registers of another level, seen from an axon or synapse hook
Pre = Role("pre")  # one copy per axon segment on the receiving core
PreKeep = Role("pre_keep")  # the same, surviving presentations
Post = Role("post")  # a register of the destination soma
PostState = Role("post_state")  # a neuron register the rule owns
# what is not a register
Param = Role("param")
Switch = Role("switch")  # 0 or 1, chosen at compile time and folded away
Table = Role("table")
Width = Role("width")  # a register's bits and overflow policy, for `fit`
Port = Role("port")
Input = Role("input")
Key = Role("key")

ROLES = {name: value for name, value in globals().items() if isinstance(value, Role)}

NEURON_CHANNELS = ("spike", "error", "probe", "inhibit")
SPIKE, ERROR, PROBE, INHIBIT, INPUT, TARGET = range(6)
CHANNEL_CONSTANTS = {name.upper(): number for name, number in CHANNELS.items()}


MAX_TICKS = 1 << 20
"""Ticks a presentation lasts at most, and..."""
MAX_BATCH = 1 << 16
"""...presentations a commit: what the checker's proof of sums and counters stands on."""


@dataclass(frozen=True)
class Hook:
    """One row of the hook table (docs/firmware.md): when a function of that name is called, on what, and what it may touch."""

    name: str
    level: str  # whose registers it owns: axon, synapse, neuron, post
    inputs: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    keyed: bool = False
    end_of: str = "tick"  # tick, presentation or commit


_NEURON = ("state", "keep", "weight")
_SYNAPSE = ("state", "keep", "weight", "sum")
_AXON = ("pre", "pre_keep")

HOOKS = {
    hook.name: hook
    for hook in (
        Hook("tick_pre", "axon", ("tick", "phase"), _AXON, _AXON),
        Hook("arrive", "axon", ("payload", "channel"), _AXON, _AXON),
        Hook(
            "arrive_synapse",
            "synapse",
            ("payload", "channel"),
            (*_AXON, "post", "post_state", *_SYNAPSE),
            (*_SYNAPSE, "post"),
            keyed=True,
        ),
        Hook("modulate", "neuron", ("value",), _NEURON, ("state", "keep")),
        Hook(
            "soma",
            "neuron",
            ("tick", "phase", "phase_tick"),
            (*_NEURON, "port", "sum"),
            ("state", "keep", "sum"),
            keyed=True,
        ),
        Hook("settle", "neuron", (), _NEURON, ("state", "keep")),
        Hook("tick_post", "post", ("fired",), ("post_state",), ("post_state",)),
        Hook("fire_synapse", "synapse", (), (*_AXON, "post", "post_state", *_SYNAPSE), _SYNAPSE, keyed=True),
        Hook("fire_pre", "axon", (), _AXON, _AXON),
        Hook("tick_synapse", "synapse", (), (*_AXON, "post", "post_state", *_SYNAPSE), _SYNAPSE, keyed=True),
        Hook("end", "neuron", (), (*_NEURON, "sum"), ("state", "keep", "sum"), keyed=True, end_of="presentation"),
        Hook(
            "end_synapse",
            "synapse",
            (),
            (*_AXON, "post", "post_state", *_SYNAPSE),
            ("state", "keep", "sum"),
            keyed=True,
            end_of="presentation",
        ),
        Hook("commit", "neuron", ("batch",), ("weight", "sum"), ("weight",), keyed=True, end_of="commit"),
        Hook("commit_synapse", "synapse", ("batch",), ("weight", "sum"), ("weight",), keyed=True, end_of="commit"),
    )
}
"""Hooks in order of execution."""

RULE_HOOKS = tuple(name for name, hook in HOOKS.items() if hook.level != "neuron")
"""Hooks of a projection's program; the rest belong to a population's."""
LEARNING_HOOKS = (*RULE_HOOKS, "modulate", "end", "commit")
"""What ``plastic=False`` skips (docs/machine.md, presentations)."""

INTRINSICS: dict[str, Callable[..., int]] = {}


def _intrinsic(function: Callable[..., int]) -> Callable[..., int]:
    INTRINSICS[function.__name__] = function
    return function


@_intrinsic
def clamp(x: int, low: int, high: int) -> int:
    """x, but no less than low and no more than high."""
    return low if x < low else (high if x > high else x)


@_intrinsic
def shift_left(x: int, k: int) -> int:
    """x * 2**k."""
    return x << k


@_intrinsic
def shift_floor(x: int, k: int) -> int:
    """x / 2**k, rounded towards minus infinity."""
    return x >> k


@_intrinsic
def shift_zero(x: int, k: int) -> int:
    """x / 2**k, rounded towards zero."""
    magnitude = abs(x) >> k
    return magnitude if x >= 0 else -magnitude


@_intrinsic
def shift_round(x: int, k: int) -> int:
    """x / 2**k, rounded to nearest, ties upwards."""
    return (x + ((1 << k) >> 1)) >> k


@_intrinsic
def shift_away(x: int, k: int) -> int:
    """x / 2**k, rounded to nearest, ties away from zero."""
    magnitude = (abs(x) + ((1 << k) >> 1)) >> k
    return magnitude if x >= 0 else -magnitude


@_intrinsic
def decay_to_zero(x: int, decay: int) -> int:
    """sign(x) * ((abs(x) * (4096 - decay)) >> 12): leak by decay/4096, towards zero (Davies et al. 2018, as Lava does).

    Computed in two halves, which is the same number and keeps every product of a 31-bit x within 32 bits.
    """
    keep = 4096 - decay
    magnitude = (abs(x) >> 12) * keep + (((abs(x) & 4095) * keep) >> 12)
    return magnitude if x >= 0 else -magnitude


@_intrinsic
def fit(x: int, width: tuple[int, int]) -> int:
    """x narrowed to a register of ``width = (bits, wraps)``."""
    half = 1 << (width[0] - 1)
    if width[1]:
        return ((x & (half - 1 + half)) ^ half) - half
    return -half if x < -half else (half - 1 if x > half - 1 else x)


@_intrinsic
def leading_one(x: int) -> int:
    """floor(log2(x)), the place of the highest set bit; 0 for x <= 1."""
    n = 0
    for step in (32, 16, 8, 4, 2, 1):
        if x >> step > 0:
            x = x >> step
            n = n + step
    return n


def i64(x: Any) -> int:
    """A signed value of an unsigned one below 2**63 (a cast in compiled code)."""
    return int(x)


def u64(x: Any) -> int:
    """x modulo 2**64 (a cast in compiled code, where unsigned arithmetic wraps and signed overflow is undefined)."""
    return int(x) & 0xFFFFFFFFFFFFFFFF


def mix(z: int) -> int:
    """The 64-bit finaliser of MurmurHash3 (Appleby, public domain): every input bit reaches every output bit."""
    z = u64(z ^ (z >> u64(33)))
    z = u64(z * u64(0xFF51AFD7ED558CCD))
    z = u64(z ^ (z >> u64(33)))
    z = u64(z * u64(0xC4CEB9FE1A85EC53))
    return u64(z ^ (z >> u64(33)))


def tick_key(seed: int, presentation: int, tick: int) -> int:
    """The key every draw of one tick of one presentation starts from."""
    z = mix(u64(u64(seed) + u64(0x9E3779B97F4A7C15)))
    z = mix(u64(z + u64(presentation)))
    return mix(u64(z + u64(tick)))


def site_key(base: int, site: int) -> int:
    """The tick's key for one hook site."""
    return mix(u64(base + u64(site)))


def unit_key(base: int, ident: int) -> int:
    """The site's key for one neuron or synapse, by its network-wide id."""
    return u64(base + u64(u64(ident) * u64(0x9E3779B97F4A7C15)))


@_intrinsic
def uniform(key: int, draw: int, bits: int) -> int:
    """The ``draw``-th random number of this hook call, uniform in 0 .. 2**bits - 1: a hash of ids, not a stream."""
    return i64((mix(u64(key + u64(u64(i64(draw)) * u64(0xD1B54A32D192ED03)))) >> u64(1)) >> u64(63 - bits))


@_intrinsic
def shift_stochastic(x: int, k: int, key: int, draw: int) -> int:
    """x / 2**k, rounded up with the probability of the fraction lost, so that the mean is exact."""
    return (x + uniform(key, draw, k)) >> k


RANDOM_SOURCE = (i64, u64, mix, tick_key, site_key, unit_key)
"""Helpers of ``uniform`` that compiled code needs; ``i64`` and ``u64`` become casts there."""

OPERATION_CLASSES = ("add", "multiply", "compare", "shift", "lookup", "random")
"""Classes a program's operations are counted and priced by."""

OPERATIONS: dict[str, dict[str, int]] = {
    "min": {"compare": 1},
    "max": {"compare": 1},
    "abs": {"add": 1},
    "clamp": {"compare": 2},
    "shift_left": {"shift": 1},
    "shift_floor": {"shift": 1},
    "shift_zero": {"add": 1, "shift": 1},
    "shift_round": {"add": 1, "shift": 1},
    "shift_away": {"add": 2, "shift": 1},
    "decay_to_zero": {"add": 2, "multiply": 1, "shift": 1},
    "fit": {"compare": 2},
    "leading_one": {"lookup": 1},
    "uniform": {"random": 1},
    "shift_stochastic": {"random": 1, "add": 1, "shift": 1},
}
"""What silicon does for one call (sign handling counts as one addition; a wired shift by a constant is a shift)."""


def source_of(function: Callable[..., Any]) -> str:
    """The function's source text without its decorators, for kernels that include it."""
    text = inspect.getsource(function)
    return text[text.index("def ") :]
