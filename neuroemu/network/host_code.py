"""Run what a rule file holds for the host, ``wire`` and ``as_float``: Python, executed after the whole file was read and accepted."""

from __future__ import annotations

import hashlib
import os
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neuroemu.base.errors import FirmwareError, RuleCodeWarning
from neuroemu.base.shelf import read_text, shipped
from neuroemu.language.reader import read_file

_told: set[str] = set()
"""Digests of the rule files whose code was announced in this process."""
_telling = threading.RLock()


def host_function(path: Path, name: str) -> Callable[..., Any] | None:
    """The function ``name`` (``wire``, ``as_float``) of a firmware file; None if it has none, and then nothing of it is run.

    The whole file is read and accepted first. Then the host functions are defined, together with imports, constants and
    helpers (language/host.py); calling them is what runs. Of a file that is not shipped with neuroemu, RuleCodeWarning says so,
    once a text. Raises FileError, FirmwareError.
    """
    text = read_text(path)
    file = read_file(text, str(path), path.stem)
    if name not in file.host_functions:
        return None
    if not shipped(path):
        _tell(path, text)
    namespace: dict[str, Any] = {"__name__": own_place(path), "__file__": str(path)}
    try:
        exec(compile(file.host, str(path), "exec"), namespace)
    except Exception as error:
        raise FirmwareError(f"{path}: cannot be loaded ({type(error).__name__}: {error}); correct the file") from None
    function: Callable[..., Any] = namespace[name]
    return function


def own_place(path: Path) -> str:
    """What a firmware file's programs are named by: ``sfdfa`` if it is shipped, else its path. Host code reads it as ``__name__``."""
    text = str(path)
    return path.stem if shipped(path) else (text if os.sep in text else f".{os.sep}{text}")


def _tell(path: Path, text: str) -> None:
    digest = hashlib.sha256(text.encode()).hexdigest()
    with _telling:
        if digest in _told:
            return
        _told.add(digest)
        try:
            warnings.warn(
                RuleCodeWarning(f"rule file {path} is code and is run; read it first: SECURITY.md"), stacklevel=4
            )
        except RuleCodeWarning:  # an error where the filter says so: who was stopped is stopped again
            _told.discard(digest)
            raise
