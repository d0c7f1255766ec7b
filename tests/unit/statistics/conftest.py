"""Property tests here compare numbers, not speed: a busy machine is no failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("numbers", deadline=None)
settings.load_profile("numbers")
