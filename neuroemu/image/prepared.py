"""What is worked out of an image once and kept as long as the image is: proofs, layouts, kernels, tables."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from neuroemu.image.image import Image

Made = TypeVar("Made")
_KEPT: WeakKeyDictionary[Image, Prepared] = WeakKeyDictionary()
_LOCK = threading.Lock()


class Prepared:
    """Things made of one image, each once, whichever thread asks first. What is made must not hold the image itself."""

    def __init__(self) -> None:
        self._things: dict[Hashable, Any] = {}
        self._lock = threading.RLock()

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """The thing of that key; ``make`` makes it when it is first asked for. An error of ``make`` keeps nothing."""
        with self._lock:
            if key not in self._things:
                self._things[key] = make()
            made: Made = self._things[key]
            return made


def prepared(image: Image) -> Prepared:
    """What has been made of an image; images are told apart by identity."""
    with _LOCK:
        return _KEPT.setdefault(image, Prepared())
