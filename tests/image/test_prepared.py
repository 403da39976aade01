"""What is made of an image is made once, by whichever thread asks first, and goes with the image."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from cases import CASES

from neuroemu.image.image import Image
from neuroemu.image.prepared import prepared


def small() -> Image:
    return CASES["delayed"](np.random.default_rng(3)).image()


def test_a_thing_is_made_once_by_many_threads() -> None:
    image, made, got = small(), [], []
    begin = threading.Barrier(8)

    def make() -> object:
        made.append(threading.get_ident())
        return object()

    def ask() -> None:
        begin.wait()
        got.append(prepared(image).once("thing", make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(got) == 8
    assert len(set(map(id, got))) == 1


def test_an_error_keeps_nothing() -> None:
    image = small()
    with pytest.raises(ZeroDivisionError):
        prepared(image).once("thing", lambda: 1 // 0)
    assert prepared(image).once("thing", lambda: 7) == 7
    assert prepared(image).once("thing", lambda: 8) == 7


def test_it_goes_with_its_image() -> None:
    image = small()
    kept = weakref.ref(prepared(image))
    assert kept() is not None
    del image
    gc.collect()
    assert kept() is None
