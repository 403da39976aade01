"""Errors and Ctrl-C on any thread end the run, reach the caller, and leave no thread behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fails import fails
from idle import idle, packet
from numba.core.registry import cpu_target

import neuroemu as ne
from neuroemu.engines import compiled
from neuroemu.engines.kernel import cpu
from neuroemu.engines.noc import noc_twin
from neuroemu.engines.threads import StopFlag, Stopped, attended, heeding_interrupts, side_by_side

ROOT = Path(__file__).parents[2]
TICKS = 200_000
FOREVER = 1_000_000
"""Presentations of TICKS ticks: hours, and much more than half an hour for each call of the kernel."""
SOON_S = 120
"""Much longer than a stop takes on any machine, and nothing beside FOREVER."""


def image(n: int = 3) -> ne.Image:
    """What hardly spikes, but takes its time."""
    return idle(TICKS, n)


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("neuroemu")]


def elsewhere(error: BaseException, whole: Callable[..., Any]) -> Callable[..., Any]:
    """What fails on the second worker's thread, as under a memory limit, and works on the first."""

    def part(batch: Any, n: int) -> Any:
        if threading.current_thread().name == "neuroemu worker":
            raise error
        return whole(batch, n)

    return part


# ---- errors
@pytest.mark.parametrize("error", [ValueError("of some kind"), KeyError("k"), SystemExit(3)])
def test_an_error_of_a_worker_reaches_the_caller(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ne.run(image(), packet(4), workers=2)
    assert run.spike_counts("out").tolist() == [[1, 1, 1]] * 4
    monkeypatch.setattr(cpu._Batch, "record", elsewhere(error, cpu._Batch.record))
    with pytest.raises(type(error)) as caught:
        ne.run(image(), packet(FOREVER), workers=2)  # the other worker, hours from its end, is stopped
    assert caught.value is error
    assert ne.run(image(), packet(4), workers=1).differs(run) is None


def test_memory_that_runs_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu._Batch, "record", elsewhere(MemoryError("no room"), cpu._Batch.record))
    text = (
        f"6 presentations of {TICKS} ticks do not fit in memory with their packets and probes; "
        "run fewer presentations at a time, shorten them, or probe less"
    )
    with fails(ne.RunError, text):
        ne.run(image(), packet(6), workers=2)


def test_the_first_error_counts_and_stops_the_rest() -> None:
    stop, seen = StopFlag(), []

    def waits() -> None:
        while not stop.flag[0]:
            time.sleep(0.01)
        seen.append("stopped")
        raise Stopped

    def fails_() -> None:
        raise ValueError("first")

    with pytest.raises(ValueError, match=r"^first$"):
        side_by_side([waits, fails_, waits], stop)
    assert seen == ["stopped"] * 2


@pytest.mark.parametrize("started", [0, 1, 2])
def test_a_system_that_starts_no_more_threads(started: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, number = threading.Thread.start, [0]

    def start(thread: threading.Thread) -> None:
        number[0] += 1
        if number[0] > started:
            raise RuntimeError("can't start new thread")
        whole(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with fails(ne.RunError, "the system starts no more threads; use fewer with workers=1, or end other programs"):
        ne.run(image(), packet(FOREVER), workers=3)
    assert number[0] == started + 1


# ---- progress
def test_progress_is_that_of_all_workers_together() -> None:
    told: list[tuple[str, int, int]] = []
    threads = set()

    def progress(stage: str, done: int, total: int) -> None:
        threads.add(threading.current_thread())
        told.append((stage, done, total))

    ne.run(image(), packet(30), workers=3, progress=progress)
    running = [(done, total) for stage, done, total in told if stage == "running"]
    assert told[0] == ("compiling the kernel", 0, 1)
    assert [total for _, total in running] == [30] * len(running)
    assert [done for done, _ in running] == sorted(done for done, _ in running)
    assert running[0] == (0, 30)
    assert running[-1] == (30, 30)
    assert threads == {threading.current_thread()}, "a notebook's progress bar is not for other threads"


def test_what_progress_raises_ends_the_run() -> None:
    def progress(stage: str, _done: int, _total: int) -> None:
        if stage == "running":
            raise LookupError("cancelled")

    with pytest.raises(LookupError, match=r"^cancelled$"):
        ne.run(image(), packet(200), workers=2, progress=progress)


def test_work_gives_what_it_returns_and_tells_all_of_it() -> None:
    heard: list[int] = []

    def work(tell: Callable[[int], None]) -> str:
        for number in range(100):
            tell(number)
        return "done"

    assert attended(work, StopFlag(), heard.append) == "done"
    assert heard == list(range(100))


# ---- first use
def test_threads_that_run_a_new_image_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROEMU_CACHE", str(tmp_path))
    new, together, found = image(5), threading.Barrier(4), []

    def run() -> None:
        together.wait(60)
        try:
            found.append(ne.run(new, packet(2), workers=1).spike_counts("out").tolist())
        except BaseException as error:
            found.append(repr(error))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[[1] * 5] * 2] * 4


def test_an_image_that_is_gone_takes_its_kernel_with_it() -> None:
    """But for the last few kernels, which are kept for the next image of the same shape."""
    compiled._last.clear()
    compiled._alive.clear()
    gone = image()
    assert len(ne.run(gone, packet(1)).spikes) == 3
    (written,) = cpu._WRITTEN[gone].values()
    (kernel,) = written.kernels.values()
    name, seen = kernel.module.__name__, weakref.ref(gone)
    del written, kernel
    compiled._last.clear()
    assert name in sys.modules, "the image holds it"
    del gone
    gc.collect()
    assert seen() is None
    assert name not in sys.modules


# ---- Ctrl-C
def interrupt(at: Callable[[], bool]) -> threading.Thread:
    """A thread that sends this process SIGINT once ``at`` holds."""

    def wait() -> None:
        while not at():
            time.sleep(0.02)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def workers_run() -> bool:
    return any(thread.name == "neuroemu worker" for thread in threading.enumerate())


@pytest.fixture
def heeded() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, also where whoever started the tests ignores it, as a shell's background does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("workers", [2, 3])
def test_ctrl_c_ends_all_workers(workers: int) -> None:
    ne.run(image(), packet(1))
    begun = time.monotonic()
    sender = interrupt(workers_run)
    with pytest.raises(KeyboardInterrupt):
        ne.run(image(), packet(FOREVER), workers=workers)
    assert not workers_run()
    assert time.monotonic() - begun < SOON_S
    sender.join()
    assert ne.run(image(), packet(2)).spike_counts("out").tolist() == [[1, 1, 1]] * 2, "the next run is not stopped"


def test_ctrl_c_on_the_command_line(tmp_path: Path) -> None:
    image().save(tmp_path / "a.image")
    np.save(tmp_path / "x.npy", packet(FOREVER))
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from neuroemu.cli.main import main; main()"
    )
    arguments = ["run", str(tmp_path / "a.image"), "--input", str(tmp_path / "x.npy"), "-o", str(tmp_path / "run")]
    command = [sys.executable, "-c", code, *arguments, "--workers", "2"]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert child.stderr is not None
        assert "neuroemu: running ...\n" in iter(child.stderr.readline, "")  # after what is slow on a slow machine
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=SOON_S)
    finally:
        child.kill()
        child.wait()
    assert (child.returncode, out, err) == (130, "", "neuroemu: interrupted\n")
    assert not (tmp_path / "run").exists()


def test_the_twin_starts_no_more_ticks_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ticks wait in a queue; without more they would all be timed before the error is seen."""
    timed, told = [], threading.Event()

    class Slow:
        def __init__(self, *_: object) -> None: ...

        def tick(self, number: int) -> int:
            told.wait(SOON_S)
            time.sleep(0.01)
            timed.append(number)
            return number

    def ticks() -> Iterator[Any]:
        yield from range(500)
        told.set()
        raise ValueError("the last")

    monkeypatch.setattr(noc_twin, "_Twin", Slow)
    with pytest.raises(ValueError, match=r"^the last$"):
        noc_twin.run(None, None, ticks())  # type: ignore[arg-type]
    assert len(timed) < 500


# ---- Ctrl-C while a kernel is compiled
TEXT = "from numba import njit\n\n\n@njit\ndef run(x):\n    return 3 * x + {}\n"


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("waits", [False, True])
def test_ctrl_c_in_a_callback_of_llvm_is_not_lost(waits: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is raised where LLVM hands machine code over to Python is printed and forgotten by ctypes; here a signal comes there."""
    monkeypatch.setenv("NEUROEMU_CACHE", str(tmp_path))
    forgotten: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", forgotten.append)
    engine, came = cpu_target.target_context.codegen()._engine._ee, []
    whole = engine._object_cache_notify

    def hook(*arguments: Any) -> Any:
        came.append(1)
        signal.raise_signal(signal.SIGINT)
        if waits:  # until it is sent again, still in here
            time.sleep(0.3)
        return whole(*arguments)

    monkeypatch.setattr(engine, "_object_cache_notify", hook)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        compiled.compiled(TEXT.format(31 + waits), "int64", lambda _: {"run": (1,)})
    assert came
    assert not forgotten
    assert signal.getsignal(signal.SIGINT) is before


def test_who_handles_signals_goes_on_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An own handler, and other threads, which get no signals."""
    monkeypatch.setenv("NEUROEMU_CACHE", str(tmp_path))
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: seen.append(number))
    try:
        with heeding_interrupts():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]
    values: list[int] = []

    def elsewhere_() -> None:
        with heeding_interrupts():
            values.append(compiled.compiled(TEXT.format(33), "int64", lambda _: {"run": (1,)}).run(1))

    thread = threading.Thread(target=elsewhere_)
    thread.start()
    thread.join()
    assert values == [36]
