"""Where a running role's metrics are: a file each in `run/metrics/`, as Prometheus' `file_sd_configs` reads them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from understudy.files import write_atomic
from understudy.state import StateDir

log = logging.getLogger("understudy.telemetry")


@contextmanager
def told(state: StateDir, name: str, url: str) -> Iterator[None]:
    """Say, as long as the context is open, that the process `name` shows its metrics at `url`.

    A file that cannot be written is told in the log and stops nobody.
    """
    path = state.metrics / f"{name}.json"
    place = [{"targets": [urlsplit(url).netloc], "labels": {"process": name}}]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(place) + "\n")
    except OSError as error:
        log.warning("a Prometheus that looks into %s does not find the metrics at %s: %s", path.parent, url, error)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
