"""Time as an argument, so that decisions can be tested without waiting."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds; wall clock for records, monotonic for deadlines."""

wall: Clock = time.time
monotonic: Clock = time.monotonic
