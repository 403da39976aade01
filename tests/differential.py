"""One network on engine ``python`` and as the checked text of its kernel: everything a run gives, compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kernels import KernelFaultError, checked, interpreted
from random_networks import Drawn

import neuroemu as ne
from neuroemu.base.errors import NeuroemuError


@dataclass(frozen=True)
class Verdict:
    """What differs, in words, or None; the run of engine ``python``, or why both refused it."""

    difference: str | None
    run: ne.Run | None = None
    refused: str = ""


def compared(drawn: Drawn, load: Callable[[str], Any] = checked) -> Verdict:
    """Both ways of running it, side by side; ``load`` makes a module of the kernel's text."""
    image, stimulus = drawn.image(), drawn.stimulus()
    oracle = _done(image, stimulus, "python", drawn)
    try:
        with interpreted(load):
            text = _done(image, stimulus, "cpu", drawn)
    except KernelFaultError as fault:
        return Verdict(str(fault))
    finally:
        checked.cache_clear()
    if isinstance(oracle, str) or isinstance(text, str):
        same = isinstance(oracle, str) and oracle == text
        return Verdict(None if same else f"{_said(oracle)} against {_said(text)}", None, str(oracle))
    return Verdict(differs(oracle, text), oracle)


def _done(image: ne.Image, stimulus: ne.Stimulus, engine: str, drawn: Drawn) -> ne.Run | str:
    try:
        return ne.run(image, stimulus, engine=engine, workers=1, **drawn.how)
    except NeuroemuError as error:
        return str(error)


def _said(outcome: ne.Run | str) -> str:
    return outcome if isinstance(outcome, str) else "a run"


def differs(a: ne.Run, b: ne.Run) -> str | None:
    """The first thing two runs do not share: packets, lengths, probes, registers, weights, counts, what is remembered."""
    found = a.differs(b)
    if found is None:
        for what in ("probes", "readout", "state", "weights"):
            if getattr(a, what).keys() != getattr(b, what).keys():
                return (
                    f"other {what}: {sorted(map(str, getattr(a, what)))} against {sorted(map(str, getattr(b, what)))}"
                )
        if a.counts.rows() != b.counts.rows():
            return "other counts"
        if a.memory.digest != b.memory.digest:
            return "the chip remembers something else"
    return found
