"""Random networks on random chips: many populations and programs, loops, delays, payloads, views, winners, phases, rules, odd widths.

A seed gives the same network for ever, as long as the compiler refuses the same ones: a draw that it refuses is drawn again.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import random_programs
from cases import firmware, random_placement
from test_rules import chain

import neuroemu as ne
from neuroemu.base.errors import NeuroemuError
from neuroemu.base.shelf import folder, neurons
from neuroemu.chip.chip import Chip, parse_chip
from neuroemu.language.language import Argument, Program
from neuroemu.language.program import load_program

GENERIC = (folder("cores") / "generic45.toml").read_text()
REGISTERS = ("u", "v", "port", "weight", "state", "keep", "pre", "pre_keep", "post_state")
OWN = (firmware("chatty"), firmware("rival"), f"{firmware('apart')}.neuron")
RULES = tuple(map(firmware, ("deferred", "deferred_plain", "online")))
WIRED = ("sfdfa", "spikegrad", "spikegrad_unary", "event_classifier", "wta_stdp")
"""Rules that wire whole networks."""
DRAWS = 60
"""How often a network is drawn before its seed is given up."""
INT32 = (-(1 << 31), (1 << 31) - 1)


class RefusedError(Exception):
    """The compiler took none of a seed's networks."""


@dataclass(frozen=True)
class Drawn:
    """A network and all that decides what a run of it gives. ``how`` are options of ne.run."""

    chip: Chip
    network: ne.Network
    align: bool
    placement: dict[str, list[tuple[int, int]]] | None
    inputs: dict[str, np.ndarray]
    values: dict[str, np.ndarray]
    first: int
    how: dict[str, int]

    def image(self) -> ne.Image:
        """The compiled network."""
        return ne.compile(self.network, self.chip, align=self.align, placement=self.placement)

    def stimulus(self) -> ne.Stimulus:
        """The events; arrays are of shape (rows, presentations, neurons)."""
        sizes = {p.name: p.n for p in self.network.populations if isinstance(p.neuron, ne.HostInput)}
        return ne.stimulus(self.inputs, sizes, values=self.values or None, first=self.first)


def draw(seed: int, files: Path) -> Drawn:
    """The network of a seed; programs of its own are written into the folder ``files``."""
    why = ""
    for attempt in range(DRAWS):
        rng = Random(f"{seed}.{attempt}")
        try:
            drawn = _wired(rng) if rng.random() < 0.12 else _Networks(rng, _chip(rng), files).draw()
            image = drawn.image()
            if rng.random() < 0.4:
                drawn = _placed(drawn, rng, image)
            drawn.stimulus()
            return drawn
        except NeuroemuError as error:
            why = str(error)
    raise RefusedError(f"seed {seed}: all of {DRAWS} networks were refused, the last one with: {why}")


def _placed(drawn: Drawn, rng: Random, image: ne.Image) -> Drawn:
    """On random cores, cut at random, if that is a placement the chip takes."""
    try:
        placed = replace(drawn, placement=random_placement(np.random.default_rng(rng.getrandbits(32)), image, 9))
        placed.image()
    except NeuroemuError:
        return drawn
    return placed


# ---- chips
def _chip(rng: Random) -> Chip:
    """generic45 with registers of odd widths, mostly narrow ones, that saturate or wrap."""
    text, tiny = GENERIC, rng.random() < 0.6
    for name in REGISTERS:
        bits = rng.choice([2, 3, 5, 7, 8, 8, 12, 16, 16, 20, 24, 31, 32] if tiny else [16, 24, 31, 32, 33, 48, 63, 64])
        bits = min(bits, 32) if name == "weight" else bits
        overflow = rng.choice(["saturate", "saturate", "wrap"])
        text = re.sub(
            rf"^({name} *= )\{{ bits = \d+, overflow = \"\w+\"",
            rf'\1{{ bits = {bits}, overflow = "{overflow}"',
            text,
            flags=re.MULTILINE,
        )
    text = _figure(text, "weight_shift", rng.choice([0, 0, 0, 1, 3, 6, 13]))
    text = _figure(text, "payload", rng.choice([2, 3, 8, 16, 32, 32]))
    if rng.random() < 0.3:
        cap = (
            f'neurons = {{ value = {rng.choice([2, 3, 5])}, unit = "neuron", basis = "estimated", source = "choice" }}'
        )
        text = text.replace("delay        = ", f"{cap}\ndelay        = ")
    return parse_chip(text, "drawn.toml")


def _figure(text: str, name: str, value: int) -> str:
    return re.sub(rf"^({name} *= \{{ value = )\d+", rf"\g<1>{value}", text, flags=re.MULTILINE)


# ---- networks
class _Networks:
    """Draws one network for a chip. A modest one has weights and thresholds that make it spike, another one any."""

    def __init__(self, rng: Random, chip: Chip, files: Path) -> None:
        self.rng, self.chip, self.files = rng, chip, files
        self.modest = rng.random() < 0.75
        self.programs: dict[str, Program] = {}
        self.populations: list[ne.Population] = []
        self.projections: list[ne.Projection] = []
        self.paired: dict[str, dict[str, int]] = {}
        """Projections that learn by pairs of spikes (rule stdp), and its options."""

    def draw(self) -> Drawn:
        rng = self.rng
        for number in range(rng.choice([1, 1, 2])):
            self.populations.append(ne.Population(f"in{number}", rng.choice([1, 2, 3, 7, 11]), ne.HostInput()))
        hosts = list(self.populations)
        for number in range(rng.choice([1, 2, 2, 3, 4])):
            self.population(f"p{number}")
        on_chip = self.populations[len(hosts) :]
        for number in range(rng.choice([1, 2, 3, 4, 6])):
            self.projection(number, hosts, on_chip)
        if rng.random() < 0.2:
            self.mirror()
        probes = []
        for population in on_chip:
            registers = self.programs[population.name].of_kind("state", "keep", "weight")
            if registers and rng.random() < 0.6:
                probes.append((population.name, rng.choice(registers)))
        told = [p.name for p in on_chip if "modulate" in self.programs[p.name].hooks and rng.random() < 0.6]
        phases = self.phases()
        modulators = [ne.Modulator(name, rng.choice([0, 1, 5])) for name in told]
        outputs = [rng.choice(on_chip).name] if rng.random() < 0.8 else []
        network = ne.Network(self.populations, self.projections, outputs, probes, phases=phases, modulators=modulators)
        for label, pairs in self.paired.items():
            network = ne.wire(network, "stdp", projections=[label], **pairs)
        return self.told(network, told)

    def told(self, network: ne.Network, told: list[str]) -> Drawn:
        """The network with its input and what else a run needs."""
        rng, numbers = self.rng, np.random.default_rng(self.rng.getrandbits(32))
        rows, n = rng.choice([1, 2, 5, 12, 20]), rng.choice([1, 2, 3, 5])
        if network.phases:
            rows = min(rows, sum(phase.ticks for phase in network.phases if not phase.learning) or 1)
        half = 1 << ((self.chip.payload_bits or 1) - 1)
        inputs, density = {}, rng.choice([0.1, 0.3, 0.5, 1])
        for population in network.populations:
            if isinstance(population.neuron, ne.HostInput):
                dense = (numbers.random((rows, n, population.n)) < density).astype(np.int64)
                if self.graded(population.name):
                    most = min(half, 6) if self.modest else half
                    dense *= numbers.integers(-most, most, dense.shape)
                inputs[population.name] = dense
        limits = (-30, 30) if self.modest else INT32
        values = {name: numbers.integers(*limits, (n, network.population(name).n)) for name in told}
        seed = rng.choice([0, 1, -1, (1 << 63) - 1, -(1 << 63), 12345])
        how = {"plastic": rng.random() < 0.7, "commit_every": rng.choice([1, 1, 2, 3]), "seed": seed}
        return Drawn(self.chip, network, rng.random() < 0.6, None, inputs, values, rng.choice([0, 0, 5, 1 << 31]), how)

    def graded(self, host: str) -> bool:
        """Whether everything the host sends to looks at payloads."""
        fed = [p for p in self.projections if p.pre == host]
        return bool(fed) and all(mode == "weight*payload" for p in fed for _, mode in (p.routes or {}).get("input", ()))

    # ---- populations
    def population(self, name: str) -> None:
        rng, n = self.rng, self.rng.choice([1, 2, 3, 5, 9])
        program = self.written(random_programs.soma) if rng.random() < 0.25 else rng.choice([*neurons(), *OWN])
        known = self.programs[name] = load_program(program)
        params: dict[str, Any] = {a: self.parameter(known.arguments[a], n) for a in known.of_kind("param")}
        params |= {a: self.table(known.arguments[a]) for a in known.of_kind("table")}
        switches = {switch: rng.randint(0, 1) for switch in known.of_kind("switch")}
        options: dict[str, Any] = {}
        if "rival" in program:
            options["compete"] = {"fire": "v_learn", "spike": "v_send"}
            if rng.random() < 0.5:
                options["groups"] = [rng.randint(0, 3) for _ in range(n)]
            elif n > 1 and rng.random() < 0.6:
                options["neighbours"] = [rng.sample(range(n), 2) for _ in range(rng.randint(1, 2 * n))]
        self.populations.append(ne.Population(name, n, ne.Firmware(program, params, switches), **options))

    def parameter(self, argument: Argument, n: int) -> int | list[int]:
        """A value in what the program declares, one for all neurons or one each."""
        low, high = argument.limits or INT32

        def value() -> int:
            if argument.name.startswith("decay"):
                return self.rng.choice([0, 1, 100, 300, 2048, 4095, 4096, self.rng.randint(0, 4096)])
            if self.modest:
                wanted = (1, 60) if argument.name == "threshold" else (-8, 12)
                return self.rng.randint(min(max(low, wanted[0]), high), max(min(high, wanted[1]), low))
            return self.rng.choice([low, high, max(low, 0), max(low, min(high, -1)), self.rng.randint(low, high)])

        distance = argument.name in ("k", "bits", "mask", "scale", "shift", "rate", "r")
        return value() if distance or self.rng.random() < 0.6 else [value() for _ in range(n)]

    def table(self, argument: Argument) -> list[int]:
        length, low, high = (*argument.limits, *INT32)[:3]
        return [self.rng.randint(low, high) for _ in range(length)]

    def written(self, draw: Any) -> str:
        """A random program as a file."""
        text = draw(self.rng, self.chip)
        path = self.files / f"{draw.__name__}_{hashlib.sha256(text.encode()).hexdigest()[:12]}.py"
        path.write_text(text)
        return str(path)

    # ---- projections
    def weight(self) -> int:
        width = self.chip.bits("weight", "weight")
        assert width is not None
        half = 1 << (width.bits - 1)
        low, high = max(-half, -20), min(half - 1, 60)
        if self.modest:
            return self.rng.choice([0, high, self.rng.randint(low, high), self.rng.randint(low, high)])
        return self.rng.choice(
            [0, 1, -1, half - 1, -half, self.rng.randint(-half, half - 1), self.rng.randint(low, high)]
        )

    def projection(self, number: int, hosts: list[ne.Population], on_chip: list[ne.Population]) -> None:
        rng = self.rng
        source, target = (hosts[0] if not number else rng.choice(self.populations)), rng.choice(on_chip)
        target = on_chip[0] if not number else target
        ports = self.programs[target.name].of_kind("port")
        channels = ["input"] if source in hosts else list(self.programs[source.name].channels)
        if not ports or not channels:
            return
        modes = ["weight", "weight", "weight*payload"]
        routes = {
            channel: [(rng.choice(ports), rng.choice(modes)) for _ in range(rng.choice([1, 1, 2]))]
            for channel in rng.sample(channels, rng.randint(1, len(channels)))
        }
        options: dict[str, Any] = {"routes": routes, "name": f"j{number}"} | self.rule(f"j{number}")
        width = self.chip.bits("weight", "weight")
        if rng.random() < 0.25 and width is not None and width.bits > 2:
            options["view"] = ne.View(
                rng.randint(1, min(6, width.bits)), rng.randint(2, width.bits), rng.choice(["nearest", "floor"])
            )
        self.projections.append(
            ne.Projection(source.name, target.name, *self.synapses(source.n, target.n, options), **options)
        )

    def synapses(self, n_pre: int, n_post: int, options: dict[str, Any]) -> list[Any]:
        """A matrix of one delay, often with gaps, or lists of many."""
        rng, delays = self.rng, [0, 0, 1, 2, 5, 9]
        if rng.random() < 0.5:
            gaps = rng.choice([0, 0.3])
            options["delay"] = rng.choice(delays)
            return [
                np.array([[0 if rng.random() < gaps else self.weight() for _ in range(n_post)] for _ in range(n_pre)])
            ]
        pairs = {
            (rng.randrange(n_pre), rng.randrange(n_post), rng.choice(delays)) for _ in range(rng.choice([1, 5, 20, 60]))
        }
        pre, post, delay = (list(column) for column in zip(*sorted(pairs), strict=True))
        return [ne.Sparse(pre, post, [self.weight() for _ in pre], delay)]

    def rule(self, label: str) -> dict[str, Any]:
        """A rule for a projection, or none, or none yet."""
        chosen = self.rng.random()
        if chosen < 0.45:
            return {}
        if chosen < 0.6:
            limits = {"a_plus": 4095, "a_minus": 4095, "k_plus": 12, "k_minus": 12, "step": 32767, "shift": 24}
            self.paired[label] = {
                name: self.rng.randint(1, self.rng.choice([4, most])) for name, most in limits.items()
            }
            self.paired[label] |= {"low": -20, "high": self.rng.choice([40, 100]), "nearest": self.rng.random() < 0.5}
            return {}
        name = self.written(random_programs.rule) if chosen < 0.8 else self.rng.choice(RULES)
        known = load_program(name)
        params: dict[str, Any] = {a: self.parameter(known.arguments[a], 1) for a in known.of_kind("param")}
        params = {a: value if isinstance(value, int) else value[0] for a, value in params.items()}
        return {"rule": name, "params": params}

    def mirror(self) -> None:
        """One projection seen from the other end, with its rule."""
        pairs = [p for p in self.projections if p.pre in self.programs and not isinstance(p.weight, ne.Sparse)]
        if pairs:
            seen = self.rng.choice(pairs)
            ports = self.programs[seen.pre].of_kind("port")
            channels = self.programs[seen.post].channels
            if ports and channels:
                routes = {channels[0]: [(ports[0], "weight")]}
                back = {"rule": seen.rule, "params": seen.params, "mirror": seen.label, "delay": seen.delay}
                self.projections.append(
                    ne.Projection(seen.post, seen.pre, np.asarray(seen.weight).T, "back", routes=routes, **back)  # type: ignore[arg-type]
                )

    def phases(self) -> list[ne.Phase]:
        rng = self.rng
        if rng.random() < 0.65:
            return []
        return [
            ne.Phase(rng.choice([0, 1, 2, 255]), rng.choice([1, 3, 10, 25]), rng.random() < 0.3, rng.random() < 0.15)
            for _ in range(rng.choice([1, 2, 3]))
        ]


# ---- whole networks of a rule
def _wired(rng: Random) -> Drawn:
    """A chain of layers that a shipped rule wires, on atlas."""
    rule, numbers = rng.choice(WIRED), np.random.default_rng(rng.getrandbits(32))
    sizes = [rng.randint(2, 8) for _ in range(2 if rule in ("event_classifier", "wta_stdp") else rng.randint(3, 4))]
    options: dict[str, Any] = {"seed": rng.randint(0, 99)}
    if rule == "sfdfa":
        options |= {"ticks": 12, "k": 4, "threshold": 0.3, "output_threshold": 0.3, "rate": 4, "output_rate": 5}
        options |= {"feedback_rate": 4}
    elif rule == "event_classifier":
        options |= {"eta": 0.01, "mean": 0.3, "spread": 0.1}
    elif rule == "wta_stdp":
        options |= {"theta": 4.0, "alpha": 0.2}
    else:
        options = {"f": 8, "k": 6, "alpha": 32}
    graded, n = rule.startswith("spikegrad"), rng.choice([1, 3, 6])
    network = ne.wire(chain(tuple(sizes)), rule, **options)
    rows = 1 if graded else 10
    inputs = (numbers.random((rows, n, sizes[0])) < 0.4) * numbers.integers(1, 9 if graded else 2, (rows, n, sizes[0]))
    labels = np.eye(sizes[-1], dtype=np.int64)[numbers.integers(0, sizes[-1], n)]
    values = {"out": labels} if rule != "wta_stdp" else {}
    how = {"plastic": rng.random() < 0.8, "commit_every": rng.choice([1, 2]), "seed": rng.randint(-3, 3)}
    return Drawn(ne.load_chip("atlas"), network, False, None, {"in": inputs}, values, 0, how)
