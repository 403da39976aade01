"""Settings of every test: Hypothesis draws the same examples each time; ``--hypothesis-profile=explore`` draws others, and more."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile("same")
