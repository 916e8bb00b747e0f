"""The live view: `Figures` as a rich layout. Pure; whoever owns the terminal calls `render`."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deploy.rounds.table import STAGES
from serving.control.printing import about
from serving.up.show.figures import Figures
from serving.up.show.told import HEAD, cells

BAR = 28
LINES = 23
"""Of the picture, as far as its lower part can give way; 24 at most."""
ROWS = 6
"""Lines of hard samples and of events where there is room."""
LEAST = 2
"""The same where there is none."""
EDGES = 2
"""Lines of a panel beside what it holds."""
COURSE = 5
"""Rounds of an unfit student whose shares are shown."""
KINDS = 2
"""Kinds of question that are shown, two lines each."""


def render(now: Figures, addresses: str) -> RenderableType:
    """The whole picture; fits 24 lines of 80 columns, since nothing in it wraps."""
    head: list[RenderableType] = [_cut(addresses, style="dim")]
    if now.caveats and not now.unfit:
        head.append(_cut(f"{now.stable}: {'; '.join(now.caveats)}", style="bold yellow"))
    parts, traffic, versions = _round(now), _traffic(now), _versions(now)
    upper = len(head) + sum(map(_height, parts)) + max(_height(traffic), _height(versions))
    rows = max(LEAST, min(ROWS, LINES - upper - 3 * EDGES))
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(Panel(traffic, title=f"traffic, {now.seconds:.0f} s", title_align="left"), _with_fall(versions, now))
    grid.add_row(_hard(now, rows), _events(now, rows))
    few = _cut(now.few, style="yellow") if now.few and now.gate_short else None
    this = Panel(Group(*parts), title=_title(now), title_align="left", subtitle=few, subtitle_align="left")
    return Group(*head, this, grid)


def _height(part: RenderableType) -> int:
    """Lines of what never wraps."""
    return part.row_count if isinstance(part, Table) else 1


def _traffic(now: Figures) -> Table:
    table = _pairs()
    bad = now.failed + now.truncated + now.mixed
    table.add_row("sent", f"{now.sent}   {now.rate:.1f}/s")
    worst = f"{now.failed}/{now.truncated}/{now.mixed} failed/cut/mixed"
    table.add_row("harm", Text(worst, style="bold red" if bad else "green"))
    table.add_row("arms", "  ".join(f"{arm} {share:.0%}" for arm, share in sorted(now.arms.items())) or "-")
    for kind in sorted({*now.similarity, *now.facts})[:KINDS]:
        table.add_row(kind, _share("similarity", now.similarity.get(kind)))
        table.add_row("", _share("facts", now.facts.get(kind)))
    return table


def _versions(now: Figures) -> Table:
    table = _pairs()
    if now.unfit:
        table.add_row("unfit", _cut(f"{now.unfit} {now.fitness or 'has learned nothing yet'}", style="bold yellow"))
        if now.way:
            course = " ".join(f"{share:.0%}" for share in now.way[-COURSE:])
            table.add_row("", _bar(now.way[-1] / now.wanted, f"{course} of {now.wanted:.0%}"))
        table.add_row("left", _cut(now.least or "nothing says"))
    else:
        table.add_row("live", Text(f"{now.stable}   epoch {now.epoch}", style="bold"))
    if now.candidate:
        table.add_row("candidate", Text(f"{now.candidate} at {now.share:.0%}", style="yellow"))
    if not now.unfit:
        table.add_row("previous", ", ".join(now.previous) or "-")
    for slot in now.slots:
        style = "green" if slot.ready else "bold red" if slot.wanted else "dim"
        table.add_row(slot.name, Text(f"{slot.version} {slot.state}, {slot.in_flight} in flight", style=style))
    if now.frozen:
        table.add_row("frozen", Text(", ".join(now.frozen), style="yellow"))
    if now.behind:
        table.add_row("behind", _cut(", ".join(f"{name} at {epoch}" for name, epoch in now.behind.items()), "bold red"))
    return table


def _with_fall(versions: Table, now: Figures) -> Panel:
    fell = _cut(now.fell_short, style="bold red") if now.fell_short else None
    beside = "; ".join(f"{version} {note}" for version, note in now.notes.items())
    title = _cut(f"versions: {beside}" if beside else "versions")
    return Panel(versions, title=title, title_align="left", subtitle=fell, subtitle_align="left")


def _hard(now: Figures, rows: int) -> Panel:
    table = _pairs()
    table.add_row("pool", Text(f"{now.pool} samples", style="bold"))
    seen = {kind: count for kind, count in now.hard.items() if count}
    for kind, count in sorted(seen.items(), key=lambda item: -item[1])[: rows - 1]:
        table.add_row(kind, str(count))
    return Panel(table, title="hard samples", title_align="left")


def _events(now: Figures, rows: int) -> Panel:
    """Roles that are down, then the latest events; at least one of these."""
    down = [f"{name} is down" for name in now.down][: max(1, rows - LEAST)]
    lines = down + list(now.events[len(down) - rows :])
    return Panel(_cut("\n".join(lines) or "-"), title="events", title_align="left")


def _title(now: Figures) -> str:
    """The round under way and, once it judged, what its gate said."""
    name = "last round" if now.stage is None and now.gate else f"round {now.stage.round}" if now.stage else "round"
    return f"{name}, {now.gate.partition(':')[0]}" if now.gate else name


def _round(now: Figures) -> list[RenderableType]:
    """How far it is, what was drawn, each slice before and after."""
    stage = now.stage
    told: list[RenderableType] = [_cut(now.drawn_short)] if now.drawn_short else []
    if now.slices:
        told.append(_slices(now))
    elif now.gate_short:
        told.append(_cut(now.gate_short, style="bold"))
    if stage is None:
        return [_cut(f"waiting: {now.waits or 'for hard samples'}"), *told]
    names = Text(no_wrap=True)
    at = STAGES.index(stage.name) if stage.name in STAGES else -1
    for index, name in enumerate(STAGES):
        names.append(name + " ", style="green" if index < at else "bold yellow" if index == at else "dim")
    done = min(1.0, stage.done / stage.total) if stage.total else 0.0
    ends = "" if stage.left is None else f"ends in {about(stage.left)} "
    pace = f"waits: {now.waits}" if now.waits else f"{ends}{stage.note}"
    bar = Table.grid(padding=(0, 1))
    bar.add_row(ProgressBar(total=1.0, completed=done, width=BAR), _cut(f"{stage.name} {done:.0%} {pace}"))
    return [names, bar, *told]


def _slices(now: Figures) -> Table:
    table = Table.grid(padding=(0, 2))
    for _ in HEAD:
        table.add_column(no_wrap=True)
    table.add_row(*HEAD, style="dim")
    for row in cells(now.slices):
        table.add_row(*(Text(cell) for cell in row), style="bold")
    return table


def _share(name: str, value: float | None) -> RenderableType:
    return _bar(value or 0.0, f"{'-' if value is None else f'{value:.0%}'} {name}")


def _bar(full: float, told: str) -> RenderableType:
    row = Table.grid(padding=(0, 1))
    row.add_row(ProgressBar(total=1.0, completed=min(1.0, full), width=8), _cut(told))
    return row


def _cut(text: str, style: str = "") -> Text:
    """Text whose lines are cut at the edge instead of wrapped."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _pairs() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    return table
