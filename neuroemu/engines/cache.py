"""Kernels on disk: where they are kept, and the module of one."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from neuroemu.base.files import write_whole


def kernel_folder() -> Path:
    """Where kernels are kept: $NEUROEMU_CACHE, or the user's cache folder, or a temporary one if that cannot be written."""
    chosen = os.environ.get("NEUROEMU_CACHE")
    base = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "neuroemu"
    try:
        base.mkdir(parents=True, exist_ok=True)
        if os.access(base, os.W_OK):
            return base
    except OSError:
        pass
    fallback = Path(tempfile.gettempdir()) / f"neuroemu-{os.getuid()}"
    fallback.mkdir(mode=0o700, exist_ok=True)
    return fallback


def load_kernel(source: str) -> ModuleType:
    """The kernel's module. Its file is named by a digest and never rewritten: Numba's cache goes by the file's time."""
    name = f"kernel_{hashlib.sha256(source.encode()).hexdigest()[:24]}"
    if name in sys.modules:
        return sys.modules[name]
    path = kernel_folder() / f"{name}.py"
    if not path.exists():
        write_whole(path, source.encode())
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
