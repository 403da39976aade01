"""HDF5 files from anywhere: the library itself crashes on some damaged ones, so a child process reads them first."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from typing import Any

import h5py

PATIENCE_S = 60
"""Seconds that HDF5 may take to read a file."""


def outlived(attempt: Callable[[], object]) -> bool:
    """Whether a process reads the file to its end and lives: damaged files crash the HDF5 library, or send it round in circles.

    What ``attempt`` raises is no matter here; it is raised again when the file is read in this process.
    """
    if not hasattr(os, "fork"):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads: the child only reads, and leaves by _exit
        child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(PATIENCE_S)
            attempt()
        except BaseException:  # what it says will be said again
            os._exit(0)
        os._exit(0)
    return not os.WIFSIGNALED(os.waitpid(child, 0)[1])


def short(error: Exception) -> str:
    """The first line of a library's error, cut at 120 characters."""
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return text if len(text) <= 120 else f"{text[:117]}..."


def elsewhere(file: Any) -> str:
    """The first object whose data lies in another file, or nothing: reading a file must not read others."""
    waiting, seen = [file], set()
    while waiting:
        group = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            continue
        seen.add(address)
        for name in group:
            held = None if isinstance(group.get(name, getlink=True), h5py.ExternalLink) else group.get(name)
            if isinstance(held, h5py.Group):
                waiting.append(held)
            elif held is None or (isinstance(held, h5py.Dataset) and (held.external or held.is_virtual)):
                return f"{group.name.rstrip('/')}/{name}"
    return ""
