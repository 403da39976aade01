"""The commands of ``neuroemu step``: what each does to a session, and how it shows."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
from rich.markup import escape

from neuroemu.base.errors import RunError
from neuroemu.base.shelf import unknown
from neuroemu.cli.show import table
from neuroemu.image.image import HOST
from neuroemu.inspect.follow import SynapseLog, SynapseRow
from neuroemu.inspect.session import Session, Stop
from neuroemu.network.stimulus import Stimulus

MOST = 40
"""Rows of a table shown on a screen; JSON has them all."""


@dataclass(frozen=True)
class Answer:
    """What a command gives: data for JSON, text and tables for the screen."""

    data: dict[str, Any]
    text: tuple[Any, ...]


@dataclass(frozen=True)
class Command:
    """A command: how it is written, what it does, whether the rest of its line is one argument, how many words it takes."""

    usage: str
    what: str
    low: int = 0
    high: int = 0
    whole_line: bool = False


COMMANDS = {
    "step": Command("step [N]", "run one tick, or N", 0, 1),
    "until": Command("until CONDITION", "run until it holds: out.v[3] > 100, spike of out[2], p.weight[2, 3] changes", 1, 1, True),
    "continue": Command("continue", "run to the next break or the last tick"),
    "break": Command("break [CONDITION]", "stop when it comes true; alone: list the breaks", 0, 1, True),
    "clear": Command("clear [N]", "forget break N, or all", 0, 1),
    "show": Command("show WHAT", "a register out.v, all of a population or projection, or a value out.v[3] + 1", 1, 1, True),
    "packets": Command("packets [N]", "what waits in the cores' delay buffers: the first N of it [40]", 0, 1),
    "packet": Command("packet K", "the way of the K-th of these, from its neuron to the ports it feeds", 1, 1),
    "sent": Command("sent [K]", "what was sent in the last tick, or the way of the K-th of it", 0, 1),
    "synapse": Command("synapse PROJECTION PRE POST [DELAY]", "follow a synapse: a row a tick from now on", 3, 4),
    "unfollow": Command("unfollow", "follow no synapse any more"),
    "core": Command("core N", "what a core holds, what waits there, what it sent", 1, 1),
    "counts": Command("counts", "every count so far"),
    "inject": Command("inject POPULATION NEURON [PAYLOAD [CHANNEL]]", "send a packet in the next tick", 2, 4),
    "end": Command("end", "end the presentation"),
    "commit": Command("commit", "change the weights by what was summed"),
    "load": Command("load [K]", "begin the next presentation of the input, or presentation K", 0, 1),
    "where": Command("where", "presentation, tick and phase"),
    "help": Command("help", "this list"),
    "quit": Command("quit", "leave"),
}  # fmt: skip


class Stepper:
    """Commands on a session whose input is a stimulus. ``done`` once it was told to quit; ``paused`` makes what runs stop."""

    def __init__(self, session: Session, stimulus: Stimulus, presentation: int) -> None:
        self.session, self.stimulus, self.at = session, stimulus, presentation
        self.logs: list[tuple[SynapseLog, int]] = []
        self.done = self.paused = False
        session.load(stimulus, presentation)

    def do(self, line: str) -> Answer:
        """Do one command. Raises NeuroemuError in one sentence."""
        name, _, rest = line.strip().partition(" ")
        if name not in COMMANDS:
            raise unknown("command", name, COMMANDS)
        command = COMMANDS[name]
        if command.whole_line:
            words = [rest.strip()] if rest.strip() else []
        else:
            try:
                words = shlex.split(rest)
            except ValueError:
                raise RunError(f"'{line.strip()}' has a quote that is not closed; write: {command.usage}") from None
        if not command.low <= len(words) <= command.high:
            raise RunError(f"'{line.strip()}' does not fit the command; write: {command.usage}")
        self.paused = False
        method: Callable[..., Answer] = getattr(self, f"do_{name}")
        return method(*words)

    # ---- going on
    def do_step(self, n: str = "1") -> Answer:
        self.room(_number(n))
        return self.run(_number(n), self.session.step)

    def do_until(self, condition: str) -> Answer:
        self.room(1)
        return self.run(self.session.left, lambda: self.session.run_until(condition, 1))

    def do_continue(self) -> Answer:
        self.room(1)
        return self.run(self.session.left, self.session.step)

    def room(self, n: int) -> None:
        """Let the session refuse what it has no ticks for, before the first of them."""
        if not 1 <= n <= self.session.left:
            self.session.step(n)

    def run(self, n: int, tick: Callable[[], Stop | None]) -> Answer:
        stop = None
        for _ in range(n):
            stop = tick()
            if stop is not None or self.paused or not self.session.left:
                break
        return self.position(stop)

    def do_end(self) -> Answer:
        return self.position(self.session.end())

    def do_commit(self) -> Answer:
        return self.position(self.session.commit())

    def do_load(self, number: str | None = None) -> Answer:
        wanted = self.at + 1 if number is None else _number(number)
        self.session.load(self.stimulus, wanted)
        self.at = wanted
        return self.position(None)

    def do_where(self) -> Answer:
        return self.position(None)

    def do_inject(self, population: str, neuron: str, payload: str = "1", channel: str = "input") -> Answer:
        self.session.inject(population, _number(neuron), _number(payload), channel)
        return self.position(None)

    def do_quit(self) -> Answer:
        self.done = True
        return Answer({}, ())

    def position(self, stop: Stop | None) -> Answer:
        """Where the session is, why it stopped, and the new rows of the synapses it follows."""
        session = self.session
        rows = {log.name: log.rows[seen:] for log, seen in self.logs}
        self.logs = [(log, len(log.rows)) for log, _ in self.logs]
        data = {
            "presentation": session.presentation,
            "tick": session.tick,
            "ticks": session.ticks,
            "phase": session.phase,
            "running": session.running,
            "sent": session.n_sent,
            "waiting": session.n_packets,
            "stop": asdict(stop) if stop else None,
            "synapses": {name: list(map(asdict, part)) for name, part in rows.items()},
        }
        if session.running:
            where = f"presentation {session.presentation}: {session.tick} of {session.ticks} ticks done, phase {session.phase}"
            where += f"; {data['sent']} packets sent in the last, {data['waiting']} waiting"
        else:
            where = f"presentation {session.presentation} has ended after {session.tick} ticks"
        told = [escape(f"stopped by {stop}")] if stop else []
        return Answer(
            data, (*(part for name, new in rows.items() if new for part in (escape(name), _rows(new))), where, *told)
        )

    # ---- breaks
    def do_break(self, condition: str | None = None) -> Answer:
        if condition is not None:
            self.session.break_when(condition)
        breaks = self.session.breaks
        lines = [escape(f"break {number}: {text}") for number, text in breaks.items()]
        return Answer({"breaks": breaks}, tuple(lines or ["no breaks"]))

    def do_clear(self, number: str | None = None) -> Answer:
        self.session.clear(None if number is None else _number(number))
        return self.do_break()

    # ---- looking
    def do_show(self, what: str) -> Answer:
        inside, name = self.session.inside, what.strip("\"'")
        if name in inside.populations or name in inside.projections:
            return self.owner(name)
        owner, _, register = what.replace('"', "").replace("'", "").rpartition(".")
        if owner in inside.populations or owner in inside.projections:
            if register in inside.registers(owner) or register.isidentifier():
                values = self.session.register(owner, register)
                text = np.array2string(values, threshold=10 * MOST, max_line_width=shutil.get_terminal_size().columns)
                return Answer({what: values.tolist()}, (escape(f"{what}: {text}"),))
        elif what.isidentifier() and what not in self.session.names:
            raise unknown("population or projection", what, [*inside.populations, *inside.projections])
        value = self.session.value(what)
        return Answer({what: value}, (escape(f"{what}: {value}"),))

    def owner(self, name: str) -> Answer:
        """Every register of a population or projection, a table for each kind of index."""
        inside = self.session.inside
        levels = inside.registers(name)
        arrays = {register: self.session.register(name, register) for register in levels}
        text: list[Any] = []
        for level in dict.fromkeys(levels.values()):
            chosen = [register for register in levels if levels[register] == level]
            heads, places = self.places(name, level)
            rows = [[*place, *(int(arrays[r].ravel()[i]) for r in chosen)] for i, place in places]
            text += _cut([f"{name}: {level}", *heads, *chosen][len(heads) == 1 :], rows)
        return Answer(
            {name: {register: array.tolist() for register, array in arrays.items()}},
            tuple(text or [escape(f"{name} has no registers")]),
        )

    def places(self, name: str, level: str) -> tuple[list[str], list[tuple[int, list[Any]]]]:
        """Heads of the index columns, and for each row its place in the flat array and its index."""
        inside = self.session.inside
        if level in ("neuron", "post"):
            n = inside.population(name).n if level == "neuron" else len(inside.synapses(name).neurons.index)
            return [f"{name}: {level}"], [(i, [i]) for i in range(n)]
        parts = inside.synapses(name).projection.parts
        if level == "axon":
            n_pre = parts[0].indptr.size - 1 if parts else 0
            axons = sorted((pre, part) for part, pre in inside.synapses(name).segments)
            return ["pre", "delay"], [(part * n_pre + pre, [pre, parts[part].delay]) for pre, part in axons]
        synapses = inside.synapses(name)
        order = sorted(range(len(synapses.ids)), key=lambda k: synapses.ids[k])
        return ["pre", "post", "delay"], [(i, list(inside.place(name, k))) for i, k in enumerate(order)]

    def do_packets(self, number: str | None = None) -> Answer:
        most = MOST if number is None else _number(number)
        if most < 1:
            raise RunError(f"{most} packets asked for; ask for at least 1")
        packets = list(islice(self.session.flights(), most))
        rows = [
            [k, p.due, p.core, f"{p.sent.population}[{p.sent.neuron}]", _core(p.sent.core), p.sent.channel, p.sent.payload,
             p.projection, _few(p.targets)]
            for k, p in enumerate(packets)
        ]  # fmt: skip
        heads = ["packet", "due", "core", "from", "on core", "channel", "payload", "for", "neurons"]
        n = self.session.n_packets
        return Answer({"packets": list(map(asdict, packets)), "waiting": n}, tuple(_cut(heads, rows, most, n)))

    def do_packet(self, number: str) -> Answer:
        return self.journey(number, self.session.flights(), self.session.n_packets, "packets wait")

    def do_sent(self, number: str | None = None) -> Answer:
        sent = self.session.sent
        if number is not None:
            return self.journey(number, sent, len(sent), "packets were sent in the last tick")
        rows = [[k, f"{p.population}[{p.neuron}]", _core(p.core), p.channel, p.payload] for k, p in enumerate(sent)]
        return Answer(
            {"sent": list(map(asdict, sent))}, tuple(_cut(["sent", "from", "core", "channel", "payload"], rows))
        )

    def journey(self, number: str, among: Iterable[Any], n: int, what: str) -> Answer:
        k = _number(number)
        if not 0 <= k < n:
            raise RunError(f"no packet {k}: {n} {what}, numbered from 0; choose one of them")
        found = self.session.follow_packet(next(islice(among, k, None)))
        return Answer({"journey": asdict(found)}, (escape(str(found)),))

    def do_synapse(self, projection: str, pre: str, post: str, delay: str | None = None) -> Answer:
        log = self.session.follow_synapse(
            projection, _number(pre), _number(post), delay=None if delay is None else _number(delay)
        )
        self.logs.append((log, 0))
        return Answer({"follows": [log.name for log, _ in self.logs]}, (escape(f"following {log.name}"),))

    def do_unfollow(self) -> Answer:
        for log, _ in self.logs:
            self.session.unfollow(log)
        self.logs = []
        return Answer({"follows": []}, ("following no synapse",))

    def do_core(self, number: str) -> Answer:
        image, core = self.session.image, _number(number)
        if core not in image.usage:
            raise RunError(f"core {core} holds no neurons; those that do are {', '.join(map(str, image.usage))}")
        pieces = [
            [p.name, f"{piece.low}..{piece.high - 1}", piece.slot]
            for p in image.populations for piece in p.slices if piece.core == core
        ]  # fmt: skip
        waiting = [asdict(p) for p in self.session.packets if p.core == core]
        sent = [asdict(p) for p in self.session.sent if p.core == core]
        data = {
            "core": core,
            "tile": image.chip.tile(core),
            "neurons": pieces,
            "usage": image.usage[core],
            "waiting": waiting,
            "sent": sent,
        }
        used = ", ".join(f"{n} {key}" for key, n in image.usage[core].items())
        x, y = image.chip.tile(core)
        head = (
            f"core {core} on tile ({x}, {y}): {used}; {len(waiting)} packets waiting, {len(sent)} sent in the last tick"
        )
        return Answer(data, (head, *_cut(["population", "neurons", "from slot"], pieces)))

    def do_counts(self) -> Answer:
        counts = self.session.counts
        rows = [
            [key, counts[key], "  ".join(f"{o} {n}" for o, n in counts.by_owner(key).items() if o)]
            for key in counts.names
        ]
        return Answer({"counts": counts.rows()}, tuple(_cut(["count", "total", "of"], rows, most=len(rows))))

    def do_help(self) -> Answer:
        rows = [[command.usage, command.what] for command in COMMANDS.values()]
        return Answer({"commands": dict(rows)}, tuple(_cut(["command", "does"], rows)))


def _number(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise RunError(f"'{word}' is not a whole number; write digits") from None


def _core(core: int) -> str:
    return "host" if core == HOST else str(core)


def _few(numbers: Iterable[int]) -> str:
    listed = list(numbers)
    return ", ".join(map(str, listed[:8])) + (f", … {len(listed)} in all" if len(listed) > 8 else "")


def _cut(heads: list[str], rows: list[list[Any]], most: int = MOST, n: int | None = None) -> list[Any]:
    """A table of the first rows, and how many there are (``n``, if not all are given) if not all are shown."""
    shown = table(*map(escape, heads))
    for row in rows[:most]:
        shown.add_row(*(escape(str(cell)) for cell in row))
    n = len(rows) if n is None else n
    return [shown, *([f"... {n} rows in all"] if n > most else [])]


def _rows(rows: list[SynapseRow]) -> Any:
    shown = table("tick", "arrived", "weight", "synapse", "pre", "post", "post neuron", "changes")
    for row in rows:
        came = ", ".join(f"{channel} {payload}" for channel, payload in row.arrivals)
        registers = (row.synapse, row.pre, row.post, row.neuron)
        named = [" ".join(f"{name}={value}" for name, value in part.items()) for part in registers]
        named[-1] += " fired" if row.fired else ""
        stage = str(row.tick) if row.stage == "tick" else row.stage
        shown.add_row(stage, came, str(row.weight), *map(escape, named), escape("\n".join(map(str, row.changes))))
    return shown
