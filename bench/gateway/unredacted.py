"""The product with its redactor of texts taken out, to measure all but that: `python -m bench.gateway.unredacted`."""

from __future__ import annotations

import sys

from feedback.privacy.redact import Redactor


def take_out() -> None:
    """From now on texts pass the redactor as they are."""
    Redactor.text = lambda self, text: text  # type: ignore[method-assign]


if __name__ == "__main__":
    from understudy.cli import main

    take_out()
    sys.exit(main())
