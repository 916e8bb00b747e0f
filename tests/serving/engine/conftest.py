"""Helpers of the engine tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines import Engines


@pytest.fixture
def settled(engines: Engines) -> Iterator[Engines]:
    """The session's engines in their usual order, before the test and after it."""
    engines.settle()
    yield engines
    engines.settle()
