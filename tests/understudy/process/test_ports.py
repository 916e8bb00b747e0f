"""Taking a port says whether one could listen there."""

from __future__ import annotations

import pytest

from understudy.process.ports import bound


def test_a_port_that_somebody_listens_on_cannot_be_taken() -> None:
    with bound("127.0.0.1", 0) as first:
        first.listen()
        with pytest.raises(OSError, match="in use"):
            bound("127.0.0.1", first.getsockname()[1])


def test_an_address_of_ipv6_is_taken_as_such() -> None:
    with bound("::1", 0) as listener:
        assert listener.getsockname()[0] == "::1"
