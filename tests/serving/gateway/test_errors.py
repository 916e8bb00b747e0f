"""Errors of the data plane: what each says of itself."""

from __future__ import annotations

import pytest

from serving.gateway.errors import EngineFailed, RateLimited, UnknownEncoding, check_encoding


@pytest.mark.parametrize("given", ["", "identity", " Identity "])
def test_a_body_that_is_not_encoded_passes(given: str) -> None:
    check_encoding(given)


@pytest.mark.parametrize("given", ["gzip", "identity, br", "x"])
def test_an_encoded_one_does_not(given: str) -> None:
    with pytest.raises(UnknownEncoding):
        check_encoding(given)


def test_an_engines_status_and_a_limits_kind_are_told() -> None:
    failed, limited = EngineFailed(599, [b"retry-after: 7\r\n"]), RateLimited("tokens", "too many", 7)
    assert (failed.status, failed.lines) == (599, [b"retry-after: 7\r\n"])
    assert (limited.status, limited.kind, limited.code, limited.seconds) == (429, "tokens", "rate_limit_exceeded", 7)
    assert RateLimited("requests", "too many", 1).kind == "requests"
