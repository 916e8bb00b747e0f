"""Workers that were replaced, on the page that all have together."""

from __future__ import annotations

from serving.crew.figures import Replaced
from understudy.telemetry.board import Board
from understudy.telemetry.metrics import MetricsPage
from understudy.telemetry.together import JoinedPage


def test_any_workers_page_has_those_that_were_replaced_by_how_they_ended() -> None:
    board = Board(3)
    replaced = Replaced(board, 2)
    pages = [JoinedPage(MetricsPage("gateway"), board, place) for place in (0, 1)]
    assert 'understudy_gateway_workers_replaced_total{how="hung"} 0.0' in pages[0].render()
    for how in ("hung", "killed", "hung", "stopped"):
        replaced.count(how)
    for page in pages:
        told = [line for line in page.render().splitlines() if line.startswith("understudy_gateway_workers")]
        assert [line.rpartition("{")[2] for line in told] == [
            'how="ended"} 0.0',
            'how="killed"} 1.0',
            'how="hung"} 2.0',
        ]
