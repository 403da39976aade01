"""Work on threads that ends: an error on any of them, or Ctrl-C, stops all, and reaches the caller when none runs any more."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TypeVar

import numpy as np

from neuroemu.base.errors import RunError

Told = TypeVar("Told")
Result = TypeVar("Result")
WAKE_S = 0.1
"""How often a waiting thread looks up: on some systems a signal does not wake it."""


class StopFlag:
    """Tells kernels to end: they read ``flag``, of shape (1,), in every tick, and return when it is not 0."""

    def __init__(self) -> None:
        self.flag = np.zeros(1, np.int64)

    def set(self) -> None:
        """End whatever reads the flag."""
        self.flag[0] = 1


class Stopped(Exception):  # noqa: N818
    """Work ended because it was told to: the reason is another error, which the caller sees instead."""


def attended(work: Callable[[Callable[[Told], None]], Result], stop: StopFlag, heard: Callable[[Told], None]) -> Result:
    """Do ``work`` on a thread of its own, which can tell this one something; this one hears it, and signals.

    Python handles signals, such as Ctrl-C, on the main thread and between its own steps only: a kernel that ran there would delay them
    to its end. What ``heard`` or a signal raises stops the work and goes on when it has ended.
    """
    news: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
    results: list[Result] = []
    errors: list[BaseException] = []

    def thread() -> None:
        try:
            results.append(work(lambda told: news.put(lambda: heard(told))))
        except BaseException as error:
            errors.append(error)
        finally:
            news.put(None)

    worker = threading.Thread(target=thread, name="neuroemu run")
    try:
        _start(worker)
        _listen(news)
    except BaseException:
        stop.set()
        _wait_for(worker)
        raise
    worker.join()
    if errors:
        raise errors.pop()
    return results.pop()


def _start(thread: threading.Thread) -> None:
    try:
        thread.start()
    except RuntimeError:  # a limit on processes, as batch systems and containers set
        raise RunError("the system starts no more threads; use fewer with workers=1, or end other programs") from None


def _listen(news: SimpleQueue[Callable[[], None] | None]) -> None:
    """Do what comes until None does."""
    while True:
        try:
            item = news.get(timeout=WAKE_S)
        except Empty:
            continue
        if item is None:
            return
        item()


def _wait_for(worker: threading.Thread) -> None:
    """Wait whatever comes: it was told to end, and another Ctrl-C is no reason to leave it running."""
    while worker.is_alive():
        with suppress(KeyboardInterrupt):
            worker.join(WAKE_S)


def side_by_side(tasks: Sequence[Callable[[], None]], stop: StopFlag) -> None:
    """Do every task, the first on this thread, each other on its own, and wait for all. The first error ends the rest and is raised.

    Raises RunError if the system starts no more threads.
    """
    errors: list[BaseException] = []

    def guarded(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:
            errors.append(error)
            stop.set()

    threads = [threading.Thread(target=guarded, args=(task,), name="neuroemu worker") for task in tasks[1:]]
    started = []
    try:
        for thread in threads:
            _start(thread)
            started.append(thread)
        guarded(tasks[0])
    except RunError:
        stop.set()
        raise
    finally:
        for thread in started:
            thread.join()
    if errors:
        raise next((error for error in errors if not isinstance(error, Stopped)), errors[0])


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Within, Ctrl-C is not lost to LLVM: it calls Python back now and then, and what is raised in there is printed and forgotten.

    A signal that comes in such a moment is sent again a little later, and at the latest counts at the end. For the main thread, where
    signals are handled, and only if nobody else handles them.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    again: list[threading.Timer] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if not _called_back(frame):
            raise KeyboardInterrupt
        again.append(threading.Timer(WAKE_S, signal.raise_signal, (number,)))
        again[-1].start()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        for timer in again:
            timer.cancel()
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if again:
        raise KeyboardInterrupt


def _called_back(frame: FrameType | None) -> bool:
    """Whether a frame runs within a function that llvmlite hands to LLVM."""
    while frame is not None:
        if frame.f_code.co_name.startswith("_raw_") and "llvmlite" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False
