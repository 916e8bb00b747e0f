"""Every benchmark can be found, and shows how it is run."""

from __future__ import annotations

import pytest

from bench.commands import BENCHMARKS
from bench.commands import main as run
from understudy.cli import main
from understudy.errors import UsageError


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_shows_an_example_that_names_it(name: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", name, "--help"])
    assert ended.value.code == 0
    assert f"example: understudy bench {name}" in " ".join(capsys.readouterr().out.split())


def test_a_benchmark_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(UsageError, match=", ".join(BENCHMARKS)):
        run(["swop"])
