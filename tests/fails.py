"""Expect an error by its whole text: half a message tested is a message that drifts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def fails(error: type[Exception], text: str) -> Iterator[None]:
    """The block raises this error with exactly this text."""
    with pytest.raises(error) as caught:
        yield
    assert str(caught.value) == text
