"""What the user says: populations, projections, routes, probes and the conventions a file format leaves open.

A Network is immutable; ``network.add(...)`` returns a new one. Floats live here and nowhere below: ``compile`` turns them
into the chip's integers. Arrays follow ``(pre, post)`` order; parameters of a population are scalars or one value a neuron.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from neuroemu.base.arrays import Floats
from neuroemu.base.errors import NetworkError
from neuroemu.base.fields import unfit
from neuroemu.base.shelf import unknown
from neuroemu.language.isa import NEURON_CHANNELS
from neuroemu.language.switches import whole
from neuroemu.network.conventions import Conventions, of_node
from neuroemu.network.integers import integer

BEYOND = 1 << 31
"""Past every index and delay: a float this large may not survive the way into an integer."""
Route = tuple[str, Literal["weight", "weight*payload"]]
Routes = Mapping[str, Sequence[Route]]


@dataclass(frozen=True, eq=False)
class HostInput:
    """A population that lives on the host and sends what the stimulus says, on channel ``input``."""


@dataclass(frozen=True, eq=False)
class LIF:
    """tau dv/dt = v_leak - v + r (I + bias); a spike past v_threshold. Seconds for ``tau``, arbitrary units else (NIR's LIF)."""

    tau: ArrayLike
    v_threshold: ArrayLike = 1.0
    r: ArrayLike = 1.0
    v_leak: ArrayLike = 0.0
    v_reset: ArrayLike = 0.0
    bias: ArrayLike = 0.0


@dataclass(frozen=True, eq=False)
class CubaLIF:
    """tau_syn di/dt = -i + w_in (I + bias); tau_mem dv/dt = v_leak - v + r i; a spike past v_threshold (NIR's CubaLIF)."""

    tau_syn: ArrayLike
    tau_mem: ArrayLike
    v_threshold: ArrayLike = 1.0
    r: ArrayLike = 1.0
    w_in: ArrayLike = 1.0
    v_leak: ArrayLike = 0.0
    v_reset: ArrayLike = 0.0
    bias: ArrayLike = 0.0


@dataclass(frozen=True, eq=False)
class IF:
    """dv/dt = r (I + bias); a spike past v_threshold (NIR's IF)."""

    v_threshold: ArrayLike = 1.0
    r: ArrayLike = 1.0
    v_reset: ArrayLike = 0.0
    bias: ArrayLike = 0.0


@dataclass(frozen=True, eq=False)
class LI:
    """tau dv/dt = v_leak - v + r (I + bias); never spikes, its v is the read-out (NIR's LI)."""

    tau: ArrayLike
    r: ArrayLike = 1.0
    v_leak: ArrayLike = 0.0
    bias: ArrayLike = 0.0


@dataclass(frozen=True, eq=False)
class CubaLI:
    """tau_syn di/dt = -i + w_in (I + bias); tau_mem dv/dt = v_leak - v + r i; never spikes, its v is the read-out (NIR's CubaLI)."""

    tau_syn: ArrayLike
    tau_mem: ArrayLike
    r: ArrayLike = 1.0
    w_in: ArrayLike = 1.0
    v_leak: ArrayLike = 0.0
    bias: ArrayLike = 0.0


@dataclass(frozen=True, eq=False)
class Firmware:
    """A program by name or path, in register units: integers go to the chip as they stand.

    ``params`` holds the program's parameters (an int, or one a neuron) and tables (a sequence); ``switches`` its switches.
    """

    program: str
    params: Mapping[str, ArrayLike] = field(default_factory=dict)
    switches: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "switches", whole(self.switches))


def _make_whole(item: object, what: str, *fields: str) -> None:
    """Make fields of a frozen object Python's own integers. Raises NetworkError for what is no whole number."""
    for name in fields:
        object.__setattr__(item, name, integer(getattr(item, name), f"{what}: {name}"))


Neuron = HostInput | LIF | CubaLIF | IF | LI | CubaLI | Firmware
FLOAT_MODELS: dict[type, str] = {LIF: "lif", CubaLIF: "cuba_lif", IF: "if", LI: "li", CubaLI: "cuba_li"}
"""The shipped program each float model is compiled to."""


@dataclass(frozen=True, eq=False)
class Population:
    """``size`` neurons (an int, or a shape) of one kind.

    ``compete`` maps a send flag to the register it is ranked by: the core's winner unit keeps the largest of each group
    (``groups``: one group number a neuron, all in one group by default) and then runs ``settle``. Instead of groups,
    ``neighbours`` may give pairs of neurons that are rivals, shape (k, 2), each pair both ways (``neighbourhood`` makes them for
    maps); a mapping of flag to pairs gives each flag its own.

    ``conventions`` of this population alone, by name and over those of the network (all but dt): ``{"reset": "subtract"}``.
    """

    name: str
    size: int | tuple[int, ...]
    neuron: Neuron
    compete: Mapping[str, str] = field(default_factory=dict)
    groups: ArrayLike | None = None
    neighbours: ArrayLike | Mapping[str, ArrayLike] | None = None
    conventions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the population."""
        return (int(self.size),) if isinstance(self.size, int | np.integer) else tuple(int(side) for side in self.size)

    @property
    def n(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Sparse:
    """Synapses as lists: ``pre[k]`` to ``post[k]`` with ``weight[k]``; ``delay[k]`` ticks if given. A pair may occur at several delays.

    ``shared[k]``, if given, numbers the kernel entry that synapse k uses: a chip that shares kernels stores it once per core.
    Synapses of one number have one weight.
    """

    pre: ArrayLike
    post: ArrayLike
    weight: ArrayLike
    delay: ArrayLike | None = None
    shared: ArrayLike | None = None


@dataclass(frozen=True)
class View:
    """What the datapath takes of a stored weight w: w / 2^shift, rounded to ``nearest`` (ties up) or ``floor``, saturated to ``bits``.

    The stored, wider weight is the master that a rule changes; small updates add up in it.
    """

    shift: int
    bits: int
    rounding: Literal["nearest", "floor"] = "nearest"

    def __post_init__(self) -> None:
        _make_whole(self, "view", "shift", "bits")


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from population ``pre`` to population ``post``.

    ``weight`` is an array of shape (n_pre, n_post) or a Sparse; ``delay`` ticks on top of the one every hop takes, one for
    all or an array like ``weight``. ``routes`` says per channel which ports a packet feeds, and whether its payload counts;
    by default spikes (or the host's input) feed port ``drive`` with the weight. ``rule`` names a rule program, ``params``
    its parameters, ``switches`` its switches (0 or 1; 0 if left out). A ``mirror`` names the projection whose synapses these
    are, seen from the other end. With a ``view`` the ports get a rounded view of the weights instead of the weights.
    """

    pre: str
    post: str
    weight: ArrayLike | Sparse
    name: str = ""
    delay: ArrayLike = 0
    routes: Routes | None = None
    rule: str | None = None
    params: Mapping[str, ArrayLike] = field(default_factory=dict)
    mirror: str | None = None
    view: View | None = None
    switches: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "switches", whole(self.switches))

    @property
    def label(self) -> str:
        """The projection's name; ``pre->post`` if none was given."""
        return self.name or f"{self.pre}->{self.post}"


@dataclass(frozen=True)
class Phase:
    """A stretch of a presentation: its number, as hooks read it, its length, and whether it is for learning.

    ``until_quiet`` ends it with its first quiet tick instead, one that delivered nothing, sent nothing and left nothing waiting; a run in
    which ``ticks`` of them do not suffice fails.
    """

    number: int
    ticks: int
    learning: bool = False
    until_quiet: bool = False

    def __post_init__(self) -> None:
        _make_whole(self, "phase", "number", "ticks")


@dataclass(frozen=True)
class Modulator:
    """The host tells a population a value a neuron (label, target, reward) at a tick: hook ``modulate`` runs there."""

    population: str
    tick: int

    def __post_init__(self) -> None:
        _make_whole(self, "modulator", "tick")


@dataclass(frozen=True, eq=False)
class Network:
    """Populations and projections in the order that fixes ids, what is read out, what is probed, and the conventions.

    ``notes`` go into the image and its reports: what a reader of the figures should know.
    """

    populations: tuple[Population, ...] = ()
    projections: tuple[Projection, ...] = ()
    outputs: tuple[str, ...] = ()
    probes: tuple[tuple[str, str], ...] = ()
    conventions: Conventions = field(default_factory=Conventions)
    phases: tuple[Phase, ...] = ()
    modulators: tuple[Modulator, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("populations", "projections", "outputs", "probes", "phases", "modulators", "notes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        _validate(self)

    def add(self, *items: Population | Projection) -> Network:
        """A network with these populations and projections appended."""
        populations = [item for item in items if isinstance(item, Population)]
        projections = [item for item in items if isinstance(item, Projection)]
        return replace(
            self,
            populations=(*self.populations, *populations),
            projections=(*self.projections, *projections),
        )

    def __repr__(self) -> str:
        named = [f"{population.name} ({population.n})" for population in self.populations]
        more = [f"{len(named) - 6} more"] if len(named) > 6 else []
        return f"Network({', '.join([*named[:6], *more])}; {len(self.projections)} projections; outputs {', '.join(self.outputs[:6])})"

    def population(self, name: str) -> Population:
        """The population of that name."""
        for population in self.populations:
            if population.name == name:
                return population
        raise unknown("population", name, [population.name for population in self.populations])

    def projection(self, name: str) -> Projection:
        """The projection of that name."""
        for projection in self.projections:
            if projection.label == name:
                return projection
        raise unknown("projection", name, [projection.label for projection in self.projections])

    def conventions_of(self, name: str) -> Conventions:
        """The conventions of a population: its own over the network's."""
        population = self.population(name)
        if not population.conventions:
            return self.conventions
        place = f"population '{name}'"
        if type(population.neuron) not in FLOAT_MODELS:
            what = "a host input" if isinstance(population.neuron, HostInput) else "firmware in register units"
            raise NetworkError(f"{place} is {what}, which has no conventions; leave them out")
        return of_node(self.conventions, population.conventions, place)

    def into(self, name: str) -> tuple[Projection, ...]:
        """Projections that end at that population."""
        return tuple(projection for projection in self.projections if projection.post == name)


def values(population: Population, parameter: str) -> Floats:
    """A float model's parameter as one value a neuron, shape (n,). Infinite time constants stay infinite."""
    place = f"population '{population.name}': {parameter}"
    raw: Any = getattr(population.neuron, parameter)
    try:
        given = np.asarray(raw)
        array = given.real.astype(np.float64)
    except (TypeError, ValueError):
        raise NetworkError(f"{place} is not numeric; give numbers") from None
    if given.dtype.kind == "c":
        raise NetworkError(f"{place} holds complex numbers; give real ones")
    if np.isnan(array).any() or (np.isinf(array).any() and not parameter.startswith(("tau", "r", "w_in"))):
        raise NetworkError(f"{place} holds {array[~np.isfinite(array)].flat[0]}; give finite numbers")
    if array.size == 1:
        return np.full(population.n, array.ravel()[0])
    if array.size != population.n:
        raise NetworkError(f"{place} has {array.size} values for {population.n} neurons; give one, or one a neuron")
    return array.ravel()


def default_routes(source: Population) -> dict[str, tuple[Route, ...]]:
    """What a projection without routes does: its source's packets feed port ``drive`` with the weight."""
    channel = "input" if isinstance(source.neuron, HostInput) else "spike"
    return {channel: (("drive", "weight"),)}


def _validate(network: Network) -> None:
    _names("population", [population.name for population in network.populations])
    _names("projection", [projection.label for projection in network.projections])
    populations = {p.name for p in network.populations if not isinstance(p.neuron, HostInput)}
    for projection in network.projections:
        if projection.label in populations:  # counts and registers are told apart by their owner's name
            raise NetworkError(f"a population and a projection are called '{projection.label}'; give each its own name")
    for population in network.populations:
        sizes = population.size if isinstance(population.size, tuple | list) else (population.size,)
        if not sizes or not all(isinstance(size, int | np.integer) and size >= 1 for size in sizes):
            raise NetworkError(
                f"population '{population.name}' has size {population.size}; give a whole number of at least one neuron, or a shape"
            )
        network.conventions_of(population.name)
    for projection in network.projections:
        source = network.population(projection.pre)
        target = network.population(projection.post)
        if isinstance(target.neuron, HostInput):
            raise NetworkError(
                f"projection '{projection.label}' ends at host input '{target.name}'; the host takes no synapses"
            )
        _validate_routes(projection, source)
        _validate_view(projection, target)
    for name in network.outputs:
        if isinstance(network.population(name).neuron, HostInput):
            raise NetworkError(f"output '{name}' is a host input; read out a population on the chip")
    for name, _ in network.probes:
        network.population(name)
    for phase in network.phases:
        if phase.ticks < 1 or not 0 <= phase.number <= 255:
            raise NetworkError(
                f"phase {phase.number} lasts {phase.ticks} ticks; phases are numbered 0..255 and last at least 1 tick"
            )
    for modulator in network.modulators:
        network.population(modulator.population)
        if modulator.tick < 0:
            raise NetworkError(
                f"modulator of population '{modulator.population}' is at tick {modulator.tick}; ticks count from 0"
            )


def _validate_routes(projection: Projection, source: Population) -> None:
    host = isinstance(source.neuron, HostInput)
    allowed = ("input",) if host else NEURON_CHANNELS
    for channel, ports in (projection.routes or {}).items():
        if channel not in allowed:
            who = "the host sends on" if host else "neurons send on"
            raise NetworkError(
                f"projection '{projection.label}': route for channel '{channel}'; {who} {', '.join(allowed)}"
            )
        for entry in ports:
            if not isinstance(entry, tuple | list) or len(entry) != 2 or entry[1] not in ("weight", "weight*payload"):
                raise NetworkError(
                    f"projection '{projection.label}': route entry {entry!r} of channel '{channel}' is not understood; "
                    "write (port, 'weight') or (port, 'weight*payload')"
                )


def _validate_view(projection: Projection, target: Population) -> None:
    view = projection.view
    if view is None:
        return
    if not (1 <= view.shift <= 31 and 2 <= view.bits <= 32 and view.rounding in ("nearest", "floor")):
        raise NetworkError(
            f"projection '{projection.label}': view has shift {view.shift}, bits {view.bits}, rounding '{view.rounding}'; "
            "use a shift of 1 to 31, 2 to 32 bits, and nearest or floor"
        )
    if not isinstance(target.neuron, Firmware):
        raise NetworkError(
            f"projection '{projection.label}': a view is of weights in register units, population '{target.name}' is a float model; "
            "give it a Firmware neuron"
        )


def _names(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if wrong := unfit(name):
            raise NetworkError(f"the name of a {what} {wrong}; give it another")
        if name in seen:
            raise NetworkError(f"two {what}s are called '{name}'; give each its own name")
        seen.add(name)
