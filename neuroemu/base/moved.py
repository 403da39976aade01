"""Names that moved: importable where they were for one release, with a DeprecationWarning that says where they are."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any


def warn_moved(old: str, new: str) -> None:
    """Tell the caller of the module that calls this where the name is now."""
    warnings.warn(f"{old} is {new} now; the old name goes with the next release", DeprecationWarning, stacklevel=3)


def moved(face: str, name: str, home: str) -> Any:
    """What module ``face`` had as ``name`` and module ``home`` holds now. Raises AttributeError.

    Names that ``home`` itself imported from elsewhere are not handed on.
    """
    value = None if name.startswith("_") else vars(import_module(home)).get(name)
    if getattr(value, "__module__", None) != home:
        raise AttributeError(f"module '{face}' has no attribute '{name}'")
    public = vars(import_module("neuroemu"))["__all__"]
    new = f"neuroemu.{name}" if name in public else f"{home}.{name}"
    warnings.warn(
        f"{face}.{name} is {new} now; the old place goes with the next release", DeprecationWarning, stacklevel=3
    )
    return value
