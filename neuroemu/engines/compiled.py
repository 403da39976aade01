"""Compiled kernels: from a text to machine code, out of memory, off the disk, or from the compiler; each once, whoever asks first.

The text is never read back from disk: it is at hand, and what lies on disk is looked up by its digest. Machine code that is damaged, or
that Numba cannot take back, is thrown away and compiled anew. A kernel lives as long as somebody holds it, or is one of the last few.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary, finalize

import numba
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.registry import cpu_target
from numba.core.serialize import dumps

from neuroemu.engines.cache import drop_kernel, most_bytes, read_kernel, write_kernel
from neuroemu.engines.threads import heeding_interrupts

Arguments = Mapping[str, Sequence[Any]]
"""Arguments of the functions to compile, by name: their types are what counts."""
TEXT = "text"
"""The part of a kernel's file that holds its text, the first, for people to read: what runs never comes from there."""
LAST = 8
"""Kernels kept in memory although nobody holds them: a loop over images of one shape loads its kernel once."""


class Kernel:
    """A kernel's functions, compiled; the module is in ``sys.modules`` as long as this lives, for Numba looks for it there."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        finalize(self, _forget, module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)


_LOCK = threading.RLock()
"""One thread makes kernels; Numba's own compiler takes one at a time too."""
_BRIEF = threading.Lock()
"""For the few last kernels, which are asked for while another is made."""
_alive: WeakValueDictionary[str, Kernel] = WeakValueDictionary()
_last: deque[Kernel] = deque(maxlen=LAST)


def types_of(values: Sequence[Any]) -> tuple[Any, ...]:
    """The types of arguments as Numba sees them."""
    return tuple(numba.typeof(value) for value in values)


def compiled(text: str, types: object, arguments: Callable[[ModuleType], Arguments]) -> Kernel:
    """The kernel of a text, its functions compiled for ``arguments`` of its module.

    The words of ``types`` say what machine code depends on besides the text and the machine. Any number of threads and processes may ask
    at once.
    """
    name = _name(text, types)
    found = _alive.get(name)
    if found is None:
        with _LOCK:
            found = _alive.get(name)
            if found is None:
                found = _make(name, text, arguments)
                _alive[name] = found
    with _BRIEF:
        if found not in _last:
            _last.append(found)
    return found


def _name(text: str, types: object) -> str:
    """A digest of all that machine code depends on: the text, types, versions, and the processor as LLVM knows it."""
    machine = cpu_target.target_context.codegen().magic_tuple()
    versions = (sys.implementation.cache_tag, numba.__version__)
    return f"kernel_{hashlib.sha256(repr((text, str(types), machine, versions)).encode()).hexdigest()[:32]}"


def _make(name: str, text: str, arguments: Callable[[ModuleType], Arguments]) -> Kernel:
    most_bytes()  # a setting that is wrong is better said before the work
    module = ModuleType(name)
    sys.modules[name] = module
    try:
        exec(compile(text, f"<{name}>", "exec"), module.__dict__)
        wanted = arguments(module)
        stores = {entry: _Store() for entry in wanted}
        kept = read_kernel(name) or {}
        if kept.get(TEXT) == text.encode():
            for entry, store in stores.items():
                store.code = kept.get(entry, b"")
        for entry, values in wanted.items():
            function = getattr(module, entry)
            function._cache = stores[entry]
            with heeding_interrupts():
                function.compile(types_of(values))
        if any(store.refused for store in stores.values()):
            drop_kernel(name)
        if all(store.made for store in stores.values()):
            write_kernel(name, {TEXT: text.encode()} | {entry: store.made for entry, store in stores.items()})
    except BaseException:
        _forget(module)
        raise
    return Kernel(module)


def _forget(module: ModuleType) -> None:
    """Take a module out of ``sys.modules``, unless another of its name is there by now."""
    if sys.modules.get(module.__name__) is module:
        del sys.modules[module.__name__]


class _Store(_Cache):  # type: ignore[misc]
    """What Numba asks for machine code before it compiles a function, and gives it to afterwards."""

    def __init__(self) -> None:
        self.code = b""
        self.made = b""
        self.refused = False
        """Whether Numba could not take back what was kept."""

    @property
    def cache_path(self) -> None:
        """Numba writes nothing itself."""
        return

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # noqa: ARG002
        """The function that ``code`` holds, None if there is none."""
        if not self.code:
            return None
        target_context.refresh()
        try:
            return CompileResult._rebuild(target_context, *pickle.loads(self.code))
        except Exception:  # its digest was right: another Numba wrote it, and any kind of error may come of that
            self.refused = True
            return None
        finally:
            self.code = b""

    def save_overload(self, sig: Any, data: Any) -> None:  # noqa: ARG002
        """Keep the machine code of a function that was compiled; its place in memory must not be part of it."""
        if not data.library.has_dynamic_globals:
            self.made = dumps(data._reduce())

    def enable(self) -> None:
        """Always on."""

    def disable(self) -> None:
        """Never off."""

    def flush(self) -> None:
        """Nothing is kept back."""
