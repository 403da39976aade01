"""A face for one release: what stood here is in neuroemu.language.program, and the public part of it in neuroemu."""

from typing import Any

from neuroemu.base.moved import moved


def __getattr__(name: str) -> Any:
    return moved(__name__, name, "neuroemu.language.program")
