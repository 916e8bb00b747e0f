"""Clients of kafka-python that leave no thread behind: not where they cannot be made, nor where they are dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from kafka import KafkaProducer

T = TypeVar("T")


def made(kind: Callable[..., T], **settings: Any) -> T:
    """A client of `kind`, one of kafka-python's.

    Where its constructor raises, the network client below it is closed: an I/O thread may run there already, for good,
    and who tries again every few seconds while the brokers are away would get one more each time.
    """
    begun: list[Any] = []

    def network(**given: Any) -> Any:
        begun.append(kind.DEFAULT_CONFIG["kafka_client"](**given))  # type: ignore[attr-defined]
        return begun[-1]

    try:
        return kind(kafka_client=network, **settings)
    except BaseException:
        for client in begun:
            client.close()
        raise


class KafkaWriter(KafkaProducer):  # type: ignore[misc]
    """A producer that can be dropped with what it holds.

    `close(timeout=0)` flushes first, and where something is not acknowledged that raises before the thread is ended,
    which would then go on for good and might still send what its owner has given up.
    """

    def flush(self, timeout: float | None = None) -> None:
        """See `KafkaProducer.flush`; with a `timeout` of 0 nothing is waited for."""
        if timeout != 0:
            super().flush(timeout)
