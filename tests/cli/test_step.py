"""neuroemu step: every command on the screen and as JSON, from --do, from standard input and at a terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import CASES
from children import child
from insides import drawn, line, online

import neuroemu as ne
from neuroemu.cli.main import main
from neuroemu.cli.stepper import COMMANDS


class Terminal(io.StringIO):
    """Standard input that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Steps:
    """Runs `neuroemu step` in a folder with online.image and graded.image; ``out`` and ``err`` are the last one's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str, typed: str | Terminal | None = None) -> int:
        """The exit code."""
        self.monkeypatch.setattr(sys, "argv", ["neuroemu", "step", *arguments])
        if typed is not None:
            self.monkeypatch.setattr(sys, "stdin", io.StringIO(typed) if isinstance(typed, str) else typed)
        code: Any = 0
        try:
            main()
        except SystemExit as done:
            code = done.code
        self.out, self.err = self.capsys.readouterr()
        return int(code)

    def text(self, script: str, *more: str) -> str:
        """What the online network's session shows for a script."""
        assert self(*ONLINE, *more, "--do", script) == 0, self.err
        return "\n".join(text.rstrip() for text in self.out.splitlines() if text.strip())

    def json(self, script: str, *arguments: str) -> list[Any]:
        """The answers to a script."""
        assert self(*(arguments or ONLINE), "--do", script, "--json") == 0, self.err
        return [json.loads(text) for text in self.out.splitlines()]


ONLINE = ("online.image", "--input", "online.npy", "--plastic", "--seed", "3")
GRADED = ("graded.image", "--input", "graded.npy", "--values", "values.npy", "--plastic", "--seed", "7")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Steps:
    monkeypatch.chdir(tmp_path)
    image, inputs = online()
    image.save("online.image")
    np.save("online.npy", inputs)
    case, image = drawn("graded")
    image.save("graded.image")
    np.save("graded.npy", case.inputs)
    np.save("values.npy", case.values["h"])  # type: ignore[index]
    return Steps(monkeypatch, capsys)


def test_a_script_gives_a_line_of_json_a_command(steps: Steps) -> None:
    image, inputs = online()
    session = ne.Session(image, seed=3, plastic=True)
    session.load(inputs)
    session.step(5)
    answers = steps.json("step 5; show out.v; break out.v[0] > 50; continue; show out.v[0]; until spike of out; show p")
    assert [answer["command"] for answer in answers] == [
        "step 5", "show out.v", "break out.v[0] > 50", "continue", "show out.v[0]", "until spike of out", "show p",
    ]  # fmt: skip
    assert answers[0] == {
        "command": "step 5", "presentation": 0, "tick": 5, "ticks": 20, "phase": 0, "running": True,
        "sent": len(session.sent), "waiting": len(session.packets), "stop": None, "synapses": {},
    }  # fmt: skip
    assert answers[1]["out.v"] == session.register("out", "v").tolist()
    assert answers[2]["breaks"] == {"1": "out.v[0] > 50"}
    session.break_when("out.v[0] > 50")
    stop = session.go()
    assert stop is not None
    assert answers[3]["stop"] == {
        "condition": "out.v[0] > 50",
        "found": stop.found,
        "presentation": 0,
        "tick": stop.tick,
        "phase": 0,
        "stage": "tick",
    }
    assert answers[4]["out.v[0]"] == session.value("out.v[0]") > 50
    stop = session.run_until("spike of out")
    assert stop is not None
    assert answers[5]["stop"]["found"] == stop.found
    assert answers[6]["p"]["weight" if "weight" in answers[6]["p"] else "w"] == session.register("p", "w").tolist()


def test_a_script_is_the_run(steps: Steps) -> None:
    """All presentations by commands: the weights and counts of `run`."""
    case, image = drawn("graded")
    parts = ["continue; end" if k % 2 == 0 else "continue; end; commit" for k in range(5)]
    answers = steps.json("; load; ".join(parts) + "; commit; show p.weight; counts", *GRADED)
    run = ne.run(image, case.stimulus(), engine="python", seed=7, plastic=True, commit_every=2)
    assert answers[-2]["p.weight"] == run.weights["p"].tolist()
    assert answers[-1]["counts"] == [list(row) for row in run.counts.rows()]


def test_a_followed_synapse_is_a_table(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    text = steps.text("synapse p 0 1; step 5; unfollow; step")
    assert text.splitlines()[:2] == ["following p: in[0] -> out[1], delay 0", "p: in[0] -> out[1], delay 0"]
    rows = [re.split(r"\s{2,}", row.strip()) for row in text.splitlines()]
    assert ["tick", "arrived", "weight", "synapse", "pre", "post", "post neuron", "changes"] in rows
    assert [row[0] for row in rows if row[0] in "01234"] == ["0", "1", "2", "3", "4"]
    assert re.search(r"fire_synapse: w 21 -> \d+", text)
    assert text.splitlines()[-2:] == [
        "following no synapse",
        "presentation 0: 6 of 20 ticks done, phase 0; 4 packets sent in the last, 2 waiting",
    ]
    answers = steps.json("synapse p 0 1; step 2; end; commit; show p.x")
    rows = [row for answer in answers for part in answer.get("synapses", {}).values() for row in part]
    assert [(row["stage"], row["tick"]) for row in rows] == [("tick", 0), ("tick", 1), ("end", 1), ("commit", 1)]


def test_packets_and_cores(steps: Steps) -> None:
    case, image = drawn("graded")
    session = ne.Session(image, seed=7, plastic=True)
    session.load(case.stimulus())
    session.step(5)
    answers = steps.json(
        "step 5; packets; packet 2; sent; sent 0; core 3; inject in 0 2; inject h 1 -3 spike; step; sent", *GRADED
    )
    assert answers[1]["waiting"] == len(session.packets) > len(answers[1]["packets"]) == 40
    assert answers[1]["packets"][2]["sent"]["population"] == session.packets[2].sent.population
    assert answers[2]["journey"]["legs"][0]["core"] == session.packets[2].core
    assert [packet["neuron"] for packet in answers[3]["sent"]] == [packet.neuron for packet in session.sent]
    assert len(answers[4]["journey"]["legs"]) == len(session.follow_packet(session.sent[0]).legs)
    core = answers[5]
    assert (core["core"], core["usage"]) == (3, image.usage[3])
    assert len(core["waiting"]) == sum(packet.core == 3 for packet in session.packets) > 0
    assert {("in", 0, "input", 2), ("h", 1, "spike", -3)} <= {
        (packet["population"], packet["neuron"], packet["channel"], packet["payload"]) for packet in answers[-1]["sent"]
    }
    assert steps(*GRADED, "--do", "step 5; packets; packet 2; sent; core 3") == 0
    assert str(session.follow_packet(session.packets[2])) in steps.out
    assert f"... {len(session.packets)} rows in all" in steps.out
    assert f"{len(core['waiting'])} packets waiting, {len(core['sent'])} sent in the last tick" in steps.out


def test_every_command_shows_something(steps: Steps) -> None:
    text = steps.text("where; break tick == 3; break spike of out; clear 1; continue; show p; show out; show in; show 1 + max(out.v); "
                      "counts; end; commit; load 2; where; break; clear; quit; nonsense")  # fmt: skip
    assert "presentation 0: 0 of 20 ticks done, phase 0; 0 packets sent in the last, 0 waiting" in text
    assert "break 2: spike of out" in text
    assert re.search(r"stopped by 'spike of out' in tick \d+ of presentation 0: out\[\d\] sent payload 1", text)
    for head in ("pre   post   delay   w", "pre   delay   x     flag", "p: post   y", "out: neuron   v    drive"):
        assert re.sub(r"\s+", " ", head) in re.sub(r"[ \t]+", " ", text), head
    assert "in has no registers" in text
    assert re.search(r"^ synop +\d+ +out \d+$", text, re.MULTILINE)
    assert "presentation 2: 0 of 20 ticks done" in text
    assert text.endswith("no breaks")


def test_help_lists_the_commands(steps: Steps) -> None:
    text = steps.text("help")
    for name, command in COMMANDS.items():
        assert command.usage.startswith(name)
        assert command.usage in text
        assert hasattr(__import__("neuroemu.cli.stepper", fromlist=["Stepper"]).Stepper, f"do_{name}")
    assert steps.json("help")[0]["commands"] == {command.usage: command.what for command in COMMANDS.values()}


NAMES = ", ".join(COMMANDS)
BAD = [
    ("foo", f"no command named 'foo'; there are: {NAMES}"),
    ("contniue", f"no command named 'contniue'; did you mean 'continue'? there are: {NAMES}"),
    ("step x", "'x' is not a whole number; write digits"),
    ("step 1 2", "'step 1 2' does not fit the command; write: step [N]"),
    ("synapse p", "'synapse p' does not fit the command; write: synapse PROJECTION PRE POST [DELAY]"),
    ("synapse p 'a 1", "'synapse p 'a 1' has a quote that is not closed; write: synapse PROJECTION PRE POST [DELAY]"),
    ("synapse q 0 1", "no projection named 'q'; there are: p"),
    ("until", "'until' does not fit the command; write: until CONDITION"),
    ("step 21", "21 ticks asked for, presentation 0 has 20 of 20 left; ask for 1 to 20"),
    ("packet 0", "no packet 0: 0 packets wait, numbered from 0; choose one of them"),
    ("sent 3", "no packet 3: 0 packets were sent in the last tick, numbered from 0; choose one of them"),
    ("core 7", "core 7 holds no neurons; those that do are 0"),
    ("show q", "no population or projection named 'q'; there are: in, out, p"),
    ("show out.q", "no register of 'out' named 'q'; there are: v, drive"),
    ("show out.v[9]", "'out.v[9]', column 1: population 'out' has no neuron 9; its neurons are 0..5"),
    ("break out.v[9] > 1", "'out.v[9] > 1', column 1: population 'out' has no neuron 9; its neurons are 0..5"),
    ("clear 1", "no break named '1'; there are: none"),
    ("commit", "presentation 0 is running; end it before a commit"),
    ("load", "the stimulus has presentations 0..3, not 4; choose one of these"),
    ("inject out 0", "no channel of population 'out' named 'input'; there are: spike"),
]


@pytest.mark.parametrize(("command", "message"), BAD, ids=[command for command, _ in BAD])
def test_a_bad_command_is_one_sentence(steps: Steps, command: str, message: str) -> None:
    start = ("--presentation", "3") if command == "load" else ()
    message = message.replace("presentation 0", "presentation 3") if start else message
    assert steps(*ONLINE, *start, "--do", f"where; {command}; where") == 2
    assert (len(steps.out.splitlines()), steps.err) == (1, f"neuroemu: {message}\n")
    assert steps(*ONLINE, *start, "--do", command, "--json") == 2
    assert (json.loads(steps.out), steps.err) == ({"error": message}, f"neuroemu: {message}\n")
    assert steps(*ONLINE, *start, typed=f"{command}\nwhere\n") == 2  # piped in, the session goes on
    assert steps.out.startswith("presentation ")
    assert steps.err == f"neuroemu: {message}\n"


def test_bad_files_and_presentations(steps: Steps) -> None:
    for arguments, message in (
        (("no.image", "--input", "online.npy"), "no.image: cannot be read (No such file or directory); give the path of an image"),
        (("online.image", "--input", "online.npy", "--presentation", "4"),
         "the stimulus has presentations 0..3, not 4; choose one of these"),
        (GRADED[:3] + GRADED[5:], "population 'h' is modulated but the stimulus holds no values of shape (5, 7) for it; "
                                  "give them with --values, or leave out --plastic"),
    ):  # fmt: skip
        assert steps(*arguments, "--do", "step") == 2
        assert (steps.out, steps.err) == ("", f"neuroemu: {message}\n")


def test_commands_piped_in(steps: Steps) -> None:
    assert steps(*ONLINE, "--json", typed="step 3\n\nshow out.v\nquit\nstep\n") == 0
    answers = [json.loads(text) for text in steps.out.splitlines()]
    assert [answer["command"] for answer in answers] == ["step 3", "show out.v", "quit"]
    assert len(answers[1]["out.v"]) == 6


def test_closed_and_garbled_input_is_one_sentence(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert steps(*ONLINE) == 2
    text = "standard input is closed; give commands with --do, or pipe them in"
    assert steps.err == f"neuroemu: {text}\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"step\n\xff\n"), encoding="utf-8"))
    assert steps(*ONLINE) == 2
    text = "standard input is no utf-8 text; pipe in commands, a line each"
    assert steps.err == f"neuroemu: {text}\n"


@pytest.mark.usefixtures("steps")
def test_lines_can_be_edited_at_a_terminal() -> None:
    """Control-A goes to the line's beginning: what is typed there comes first."""
    pytest.importorskip("readline", reason="this Python was built without readline")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from neuroemu.cli.main import main; main()", "step", *ONLINE, "--json"]
    shown = b""
    with child(command, stdin=theirs, stdout=theirs, env={**os.environ, "TERM": "dumb"}) as process:
        os.close(theirs)
        os.write(ours, b"here\x01w\nquit\n")
        with suppress(OSError):  # the other end is closed
            while part := os.read(ours, 4096):
                shown += part
        assert process.wait() == 0
    os.close(ours)
    assert b'"command": "where"' in shown


def test_what_waits_is_counted_without_making_it(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    """After every command the number is told: making every packet took 36 ms an inject."""
    case, image = drawn("graded")
    session = ne.Session(image, seed=7, plastic=True)
    session.load(case.stimulus())
    counted = []
    while session.left:
        session.step()
        counted.append((session.n_packets, len(session.packets)))
        assert session.n_sent == len(session.sent)
    assert all(quick == made for quick, made in counted)
    assert len({quick for quick, _ in counted}) > 3
    session.end()
    assert (session.n_packets, session.packets) == (0, ())
    monkeypatch.setattr("neuroemu.inspect.session.flight", lambda *_: pytest.fail("made a packet"))
    monkeypatch.setattr("neuroemu.inspect.session.Sent", lambda *_: pytest.fail("made a packet"))
    assert steps.json("step 5; inject in 0 2; step", *GRADED)[1]["waiting"] > 20


def test_packets_are_bounded(steps: Steps) -> None:
    answers = steps.json("step 5; packets 3; packets; packets 1000", *GRADED)
    n = answers[0]["waiting"]
    assert [len(answer["packets"]) for answer in answers[1:]] == [3, min(40, n), n]
    assert {answer["waiting"] for answer in answers[1:]} == {n}
    assert answers[1]["packets"] == answers[3]["packets"][:3]
    assert n > 40
    assert steps(*GRADED, "--do", "packets 0") == 2
    text = "0 packets asked for; ask for at least 1"
    assert steps.err == f"neuroemu: {text}\n"


def test_at_a_terminal(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, prompts = iter(["step 2", "nonsense", "where"]), []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", ask)
    assert steps(*ONLINE, typed=Terminal()) == 0
    assert prompts == ["0:0> ", "0:2> ", "0:2> ", "0:2> "]
    assert steps.out.startswith("help lists the commands, quit leaves\npresentation 0: 2 of 20 ticks done")
    assert steps.err == f"neuroemu: no command named 'nonsense'; there are: {NAMES}\n"


def test_an_interrupt_at_a_terminal_stops_after_the_tick(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    ticked, lines = ne.Session.step, iter(["continue", "show tick", "continue", "quit"])

    def step(session: ne.Session, n: int = 1) -> Any:
        if session.tick == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return ticked(session, n)

    monkeypatch.setattr(ne.Session, "step", step)
    monkeypatch.setattr("builtins.input", lambda _prompt: next(lines))
    before = signal.getsignal(signal.SIGINT)
    assert steps(*ONLINE, typed=Terminal()) == 0
    shown = steps.out.splitlines()
    assert shown[1].startswith("presentation 0: 5 of 20 ticks done")
    assert shown[2] == "tick: 4"
    assert shown[3].startswith("presentation 0: 20 of 20 ticks done")
    assert signal.getsignal(signal.SIGINT) is before


def test_names_in_quotes(steps: Steps) -> None:
    line().save("line.image")
    np.save("line.npy", np.ones((4, 2), int))
    arguments = ("line.image", "--input", "line.npy")
    answers = steps.json(
        """step 3; show b.x; show "b.x".v; show 'b.x'.v[0]; show b.x.drive; synapse p 0 0 2""", *arguments
    )
    assert answers[1]["b.x"] == {"v": [0], "drive": [0]}
    assert answers[3]["'b.x'.v[0]"] == answers[2]['"b.x".v'][0]
    assert answers[-1]["follows"] == ["p: in[0] -> a[0], delay 2"]


def test_the_cases_are_alive() -> None:
    assert (
        ne.run(online()[0], CASES["online"](np.random.default_rng(0)).inputs, engine="python", plastic=True).counts[
            "weight_update"
        ]
        > 100
    )
