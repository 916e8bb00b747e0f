"""Where log records go and how they look, the same in every role."""

from __future__ import annotations

import logging

FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"


def set_up(handler: logging.Handler | None = None, level: int = logging.INFO) -> None:
    """Send records from `level` on to `handler` as it formats them; without one to standard error, by `FORMAT`."""
    if handler is None:
        logging.basicConfig(level=level, format=FORMAT)
    else:
        logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # which tells of every request at INFO
