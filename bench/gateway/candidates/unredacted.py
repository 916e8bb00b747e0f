"""The product without its redactor of texts, to measure all but that: `python -m bench.gateway.candidates.unredacted`.

The gateway starts the same program for the process that records.
"""

from __future__ import annotations

import sys

from feedback.privacy.redact import Redactor


def take_out() -> None:
    """From now on texts pass the redactor of this process as they are."""
    Redactor.text = lambda self, text: text  # type: ignore[method-assign]


if __name__ == "__main__":
    if sys.argv[1].isdecimal():
        from serving.gateway.record.process import main as record

        take_out()
        sys.exit(record(int(sys.argv[1])))
    from serving.gateway.record import opening
    from understudy.cli import main

    opening.PROGRAM = "bench.gateway.candidates.unredacted"
    sys.exit(main())
