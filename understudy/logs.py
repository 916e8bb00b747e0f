"""Where log records go and how they look, the same in every role."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from types import TracebackType

FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"
JSON_VARIABLE = "UNDERSTUDY_LOG_JSON"
"""Set to 1 by `--log-json`, so that every process that is started from there writes JSON, too."""


class JsonLines(logging.Formatter):
    """A record as one line of JSON: at (UTC), level, logger, message and, where there is one, error."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told = {
            "at": f"{at}.{int(record.msecs):03d}Z", "level": record.levelname, "logger": record.name,
            "message": record.getMessage(),
        }  # fmt: skip
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def wants_json() -> bool:
    """Whether what goes to standard error is for a collector of logs."""
    return os.environ.get(JSON_VARIABLE) == "1"


def set_up(handler: logging.Handler | None = None, level: int = logging.INFO) -> None:
    """Send records from `level` on to `handler` as it formats them; without one to standard error, by `FORMAT`.

    With `UNDERSTUDY_LOG_JSON=1` standard error gets lines of JSON, of warnings and of what ends the process, too.
    """
    if handler is None:
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines() if wants_json() else logging.Formatter(FORMAT))
        if wants_json():
            logging.captureWarnings(True)
            sys.excepthook = _tell_the_end
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # which tells of every request at INFO


def tell_error(message: str) -> None:
    """Write an error that ends the process as a line of JSON."""
    record = logging.LogRecord("understudy", logging.ERROR, "", 0, message, None, None)
    print(JsonLines().format(record), file=sys.stderr)


def _tell_the_end(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    logging.getLogger("understudy").critical("ended by an error", exc_info=(kind, error, traceback))
