"""Taking a port says whether one could listen there."""

from __future__ import annotations

import pytest

from understudy.process.ports import bound, reached


def test_a_port_that_somebody_listens_on_cannot_be_taken() -> None:
    with bound("127.0.0.1", 0) as first:
        first.listen()
        with pytest.raises(OSError, match="in use"):
            bound("127.0.0.1", first.getsockname()[1])


def test_an_address_of_ipv6_is_taken_as_such() -> None:
    with bound("::1", 0) as listener:
        assert listener.getsockname()[0] == "::1"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8001"),
        ("0.0.0.0", "http://127.0.0.1:8001"),
        ("::", "http://[::1]:8001"),
        ("::1", "http://[::1]:8001"),
        ("box.example", "http://box.example:8001"),
    ],
)
def test_a_listener_is_reached_from_its_own_machine(host: str, url: str) -> None:
    assert reached(host, 8001) == url
