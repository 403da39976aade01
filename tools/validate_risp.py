"""Replay the tests of TENNLab's RISP neuroprocessor and count the answers (rasters, charges, times, counts) that differ.

usage: python tools/validate_risp.py PATH [--engine ENGINE]

PATH is JSON, or JSON in gzip, made from the tests of TENNLab-UTK/framework-open (Clear BSD): an object of tests by name, each with
`params` (the processor's), `nodes` (id, Threshold, Leak), `edges` (a, b, Weight, Delay), `inputs`, `outputs`, `commands` (ML, ASR,
AS, ASV, RUN, GSR, GT, NCH, OT, OC, C, CA, CLEAR-A, Q) and `expected`, the text that the processor tool printed.

RISP's neuron is a program of a few lines, run on chip generic45 with room for delays to 127. Fractions become integers by one
factor a test. Tests that draw normal noise are not mapped, and said so. Exit code 0: nothing differs; 1: something does; 2: no such file.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import neuroemu as ne
from neuroemu.base.errors import FileError
from neuroemu.chip.chip import Chip, load_chip, parse_chip

PROGRAM = '''"""RISP's neuron (TENNLab): it is looked at only in ticks in which events arrive, whatever they weigh."""
from neuroemu.isa import Param, Port, State, Switch


def soma(
    v: State, drive: Port, events: Port, threshold: Param, lowest: Param, leak: Param(0, 1), inclusive: Switch
):
    v = (0 if leak else v) + drive
    spike = 1 if events > 0 and (v >= threshold if inclusive else v > threshold) else 0
    v = 0 if spike else max(v, lowest)
    return v, spike
'''
DELAY = 127
LONG = 2000
"""Ticks from which a test is worth a kernel's compilation."""
MOST = 1 << 27
"""Ticks times nodes of one test: what memory is taken for."""
RASTER = re.compile(r"\s*(\d+).*?\s(?:INPUT|HIDDEN|OUTPUT)\s*:\s*([01]*)\s*$")
CHARGE = re.compile(r"\s*Node\s+(\d+).*charge:\s*(\S+)\s*$")
TIMES = re.compile(r"\s*node (\d+).*spike times:\s*([\d. ]*)$")
COUNTS = re.compile(r"\s*node (\d+).*spike counts:\s*(\d+)\s*$")
TIME = re.compile(r"\s*time:\s*(\S+)\s*$")
Answer = tuple[Any, ...]


@dataclass
class Life:
    """One presentation: from loading or clearing a network to the next. ``spikes`` holds (charge, events) by (tick, node)."""

    ticks: int = 0
    start: int = 0
    spikes: dict[tuple[int, int], tuple[Fraction, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """What a command asks: of which life, of its ticks from ``start`` to ``end``, for which nodes."""

    kind: str
    life: int
    start: int
    end: int
    nodes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Row:
    """A test's result, the spikes that fired, the lines that were compared and those that differ."""

    result: str
    spikes: int = 0
    lines: int = 0
    differ: int = 0


class NotMappedError(Exception):
    """A test asks for something that has no counterpart here."""


def exact(value: Any) -> Fraction:
    """A decimal as it was written."""
    return Fraction(Decimal(str(value)))


class Script:
    """A test's commands as lives and questions."""

    def __init__(self, test: dict[str, Any]) -> None:
        self.params = test["params"]
        if self.params.get("noisy_stddev") or any(self.params.get("stds", [])):
            raise NotMappedError("draws normal noise")
        if self.params.get("fire_like_ravens"):
            raise NotMappedError("fires as RAVENS does")
        self.ids = sorted(int(node["id"]) for node in test["nodes"])
        self.outputs = tuple(int(n) for n in test["outputs"])
        self.lives: list[Life] = []
        self.questions: list[Question] = []
        for command in test["commands"]:
            word, *rest = command.split()
            if word in ("Q", "QUIT"):
                break
            self.command(word, rest)

    def command(self, word: str, rest: list[str]) -> None:
        """One line of the processor tool."""
        if word in ("ML", "CA", "CLEAR-A"):
            self.lives.append(Life())
        elif word == "ASR":
            for t, bit in enumerate(rest[1]):
                if bit == "1":
                    self.spike(int(rest[0]), t, self.charge("1", word))
        elif word in ("AS", "ASV"):
            for k in range(0, len(rest), 3):
                self.spike(int(rest[k]), int(rest[k + 1]), self.charge(rest[k + 2], word))
        elif word == "RUN":
            life = self.lives[-1]
            life.start = life.ticks
            life.ticks += int(rest[0]) + bool(self.params.get("run_time_inclusive"))
        elif word in ("GSR", "NCH", "OT", "OC", "GT"):
            life = self.lives[-1]
            nodes = tuple(int(n) for n in rest) or tuple(self.outputs if word in ("OT", "OC") else self.ids)
            self.questions.append(Question(word, len(self.lives) - 1, life.start, life.ticks, nodes))
        elif word != "C":
            raise NotMappedError(f"uses command {word}")

    def charge(self, value: str, word: str) -> Fraction:
        """What an input spike adds: a value of 1 is the factor, ASV's are charges as they stand."""
        amount = exact(value)
        if self.params.get("inputs_from_weights"):
            return exact(self.params["weights"][int(amount)])
        if word != "ASV":
            amount *= exact(self.params.get("spike_value_factor", self.params.get("max_weight", 1)))
        return Fraction(math.floor(amount)) if self.params.get("discrete") else amount

    def spike(self, node: int, tick: int, charge: Fraction) -> None:
        """An input spike so many ticks after the last run."""
        life = self.lives[-1]
        had, events = life.spikes.get((life.ticks + tick, node), (Fraction(0), 0))
        life.spikes[life.ticks + tick, node] = (had + charge, events + 1)


class Machine:
    """A test's network in integers, run once for all its lives."""

    def __init__(self, test: dict[str, Any], script: Script) -> None:
        self.test, self.script = test, script
        self.place = {node: k for k, node in enumerate(script.ids)}
        table = test["params"].get("weights")
        self.weights = [exact(table[int(e["Weight"])] if table else e["Weight"]) for e in test["edges"]]
        charges = [charge for life in script.lives for charge, _ in life.spikes.values()]
        limits = [exact(n["Threshold"]) for n in test["nodes"]] + [exact(test["params"]["min_potential"])]
        self.factor = math.lcm(*(value.denominator for value in (*self.weights, *charges, *limits)))

    def whole(self, value: Fraction) -> int:
        """A charge in register units."""
        return int(value * self.factor)

    def network(self, program: Path) -> ne.Network:
        """One population; a projection for charges and one that counts events, as the edges' weights may be 0."""
        params, n = self.test["params"], len(self.place)
        nodes = {int(node["id"]): node for node in self.test["nodes"]}
        mode = params.get("leak_mode", "none")
        leaks = [{"all": 1, "none": 0}.get(mode, int(nodes[i].get("Leak", 0))) for i in self.script.ids]
        neuron = ne.Firmware(
            str(program),
            {"threshold": [self.whole(exact(nodes[i]["Threshold"])) for i in self.script.ids],
             "lowest": self.whole(exact(params["min_potential"])), "leak": leaks},
            {"inclusive": int(params.get("threshold_inclusive", True))},
        )  # fmt: skip
        edges, every = self.test["edges"], np.arange(n)
        ends = [[self.place[int(edge[end])] for edge in edges] for end in "ab"]
        delay = [int(edge["Delay"]) - 1 for edge in edges]  # a packet takes a tick without any
        one, count = np.ones(n, int), [("events", "weight")]
        return ne.Network(
            [ne.Population("charge", n, ne.HostInput()), ne.Population("event", n, ne.HostInput()), ne.Population("net", n, neuron)],
            [
                ne.Projection("charge", "net", ne.Sparse(every, every, one), routes={"input": [("drive", "weight*payload")]}),
                ne.Projection("event", "net", ne.Sparse(every, every, one), routes={"input": count}),
                ne.Projection("net", "net", ne.Sparse(*ends, [self.whole(w) for w in self.weights], delay), "edges"),
                ne.Projection("net", "net", ne.Sparse(*ends, np.ones(len(edges), int), delay), "events", routes={"spike": count}),
            ],
            outputs=["net"],
            probes=[("net", "v")],
        )  # fmt: skip

    def run(self, chip: Chip, program: Path, engine: str | None) -> None:
        """Run all lives; keeps what fired, shape (lives, ticks, nodes), and the charges after each tick."""
        lives, n = self.script.lives, len(self.place)
        rows = max([1, *(life.ticks for life in lives)])
        if rows * len(lives) * n > MOST:
            raise FileError(
                f"a test asks for {rows} ticks of {n} nodes {len(lives)} times; at most {MOST} are replayed"
            )
        charge, event = (np.zeros((rows, len(lives), n), np.int64) for _ in range(2))
        for k, life in enumerate(lives):
            for (tick, node), (amount, events) in life.spikes.items():
                if tick < rows:
                    charge[tick, k, self.place[node]] = self.whole(amount)
                    event[tick, k, self.place[node]] = events
        image = ne.compile(self.network(program), chip)
        chosen = engine or ("cpu" if rows * len(lives) > LONG else "python")
        run = ne.run(image, {"charge": charge, "event": (event > 0).astype(int)}, engine=chosen)
        self.fired = np.zeros((len(lives), rows + 1, n), bool)
        self.fired[run.spikes.presentation, run.spikes.tick, run.spikes.neuron - 2 * n] = True
        self.fired = self.fired[:, 1:]  # what the host sends arrives a tick later
        self.charges = run.probes["net", "v"][:, 1:]

    def answers(self) -> Iterator[Answer]:
        """What the processor tool would print, line by line."""
        for q in self.script.questions:
            fired = self.fired[q.life, q.start : q.end]
            if q.kind == "GT":
                yield ("time", float(q.end))
            last = int(np.flatnonzero(fired.any(axis=1))[-1]) + 1 if fired.any() else 0
            for node in q.nodes if q.kind != "GT" else ():
                mine = fired[:, self.place[node]]
                if q.kind == "GSR":
                    yield ("raster", node, "".join("01"[int(bit)] for bit in mine[:last]))
                elif q.kind == "NCH":
                    yield ("charge", node, f"{self.charges[q.life, q.end - 1, self.place[node]] / self.factor:g}")
                elif q.kind == "OT":
                    yield ("times", node, tuple(np.flatnonzero(mine).astype(float).tolist()))
                else:
                    yield ("counts", node, int(mine.sum()))


def expected(text: str) -> Iterator[Answer]:
    """The lines that were printed. Raises ValueError for one of another form."""
    for line in text.splitlines():
        if match := RASTER.match(line):
            yield ("raster", int(match[1]), match[2])
        elif match := CHARGE.match(line):
            yield ("charge", int(match[1]), f"{float(match[2]):g}")
        elif match := TIMES.match(line):
            yield ("times", int(match[1]), tuple(float(t) for t in match[2].split()))
        elif match := COUNTS.match(line):
            yield ("counts", int(match[1]), int(match[2]))
        elif match := TIME.match(line):
            yield ("time", float(match[1]))
        elif line.strip():
            raise ValueError(f"printed line '{line.strip()[:60]}' is of no known form")


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The tests by name. Raises FileError if the file holds none."""
    if not path.is_file():
        raise FileError(f"{path}: no such file; give the JSON file with the tests of RISP")
    try:
        raw = path.read_bytes()
        tests = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    except (OSError, EOFError, ValueError, RecursionError, MemoryError):
        tests = None
    keys = {"params", "nodes", "edges", "inputs", "outputs", "commands", "expected"}
    if (
        not isinstance(tests, dict)
        or not tests
        or not all(isinstance(t, dict) and keys <= t.keys() for t in tests.values())
    ):
        raise FileError(f"{path}: holds no tests of RISP; see --help for the form of the JSON file")
    return tests


def replay(test: dict[str, Any], program: Path, engine: str | None) -> Row:
    """One test, run and compared."""
    try:
        script = Script(test)
    except NotMappedError as reason:
        return Row(f"not mapped: {reason}")
    machine = Machine(test, script)
    machine.run(wide(), program, engine)
    printed, given = list(expected(test["expected"])), list(machine.answers())
    wrong = sum(a != b for a, b in zip(printed, given, strict=False)) + abs(len(printed) - len(given))
    return Row("differs" if wrong else "equal", int(machine.fired.sum()), len(printed), wrong)


def wide() -> Chip:
    """generic45 with room for RISP's delays."""
    text = load_chip("generic45").text
    line = f'delay = {{ value = {DELAY}, unit = "tick", basis = "estimated", source = "choice" }}'
    return parse_chip(re.sub(r"(?m)^delay\s*=.*$", line, text), "generic45 with longer delays")


def rows(path: Path, engine: str | None) -> Iterator[tuple[str, Row]]:
    """Every test of the file, by name. Raises FileError for one that is malformed."""
    tests = read(path)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "risp.py"
        program.write_text(PROGRAM)
        for name, test in tests.items():
            try:
                yield name, replay(test, program, engine)
            except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
                if isinstance(error, ne.NeuroemuError):
                    raise
                raise FileError(f"{path}: test '{name}' is malformed ({error}); see --help for its form") from None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument(
        "--engine", help="by default python, and cpu for tests that are long enough to be worth a kernel's compilation"
    )
    how = parser.parse_args()
    done: list[Row] = []
    try:
        for name, row in rows(how.path, how.engine):
            if not done:
                print(f"{'test':<6}{'spikes':>9}{'lines':>8}{'differ':>8}  result")
            print(f"{name:<6}{row.spikes:>9}{row.lines:>8}{row.differ:>8}  {row.result}", flush=True)
            done.append(row)
    except ne.NeuroemuError as error:
        print(error, file=sys.stderr)
        return 2
    equal, differ = (sum(row.result == result for row in done) for result in ("equal", "differs"))
    print(f"{equal} of {equal + differ} mapped tests equal, {len(done) - equal - differ} not mapped")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
