"""The control plane's routes under /admin/v1; `door` asks for the token, `refusals` makes errors JSON objects."""

from __future__ import annotations

import time
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Path, Query
from fastapi.responses import Response, StreamingResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ab.analysis.plans import ENOUGH_POWER
from ab.experiment import Experiment
from deploy.control.asked.errands import Errand, Told
from deploy.control.conductor import Conductor
from deploy.control.operations import Noted
from deploy.life.state import AskedFor
from serving.control.door import METRICS_PATH, Door, Operator
from serving.control.experiments import Experiments
from serving.control.figures.page import ControlFigures
from serving.control.guarding.routes import ShortName, guard_routes
from serving.control.refusals import install
from serving.control.replies.base import ErrorReply, NotComputedReply
from serving.control.replies.counts import AuditEntry, AuditReply, KpisReply, PoolReply, PurgeReply
from serving.control.replies.dead import LetterReply, LettersReplayedReply, LettersReply
from serving.control.replies.experiments import (
    ExperimentAppliedReply,
    ExperimentReply,
    ExperimentsReply,
    ExperimentStoppedReply,
    PlanReply,
    UnitRowReply,
)
from serving.control.replies.results import ExperimentResultsReply
from serving.control.replies.rounds import RoundAbortedReply, RoundReport, RoundRequestedReply, RoundsReply
from serving.control.replies.status import StatusReply
from serving.control.replies.versions import FrozenReply, MoveReply, RolloutsReply, VersionsReply
from serving.control.sources import Sources
from serving.control.views import Views
from serving.control.web.files import FILES, pages
from understudy import __version__
from understudy.errors import BadRequest, Conflict
from understudy.ids import random_id
from understudy.telemetry.door import MetricsDoor
from understudy.telemetry.metrics import CONTENT_TYPE

PREFIX = "/admin/v1"
ABSENT = "this release does not compute it"
ShortText = Annotated[str, StringConstraints(max_length=500)]
"""Short, and valid Unicode: the constraint refuses lone surrogates, which no file and no Redis takes."""
MOST_LETTERS = 1000
"""Dead letters that one request may name."""
RoundNumber = Annotated[int, Path(ge=1, lt=1 << 31)]
Who = Annotated[Operator, Depends(Operator)]


class _RequestBody(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RollbackBody(_RequestBody):
    """Where to; without a version the latest former one."""

    version: ShortText | None = None
    why: ShortText | None = None


class PromoteBody(_RequestBody):
    """What to make live."""

    version: ShortText
    why: ShortText | None = None
    force: bool = False
    """Though it was never found fit."""


class WhatBody(_RequestBody):
    """What to freeze or resume."""

    what: Literal["promotion", "learning", "student"]
    why: ShortText | None = None


class ReplayBody(_RequestBody):
    """Which dead letters to put back: those named, by the beginnings of their ids, or all of the topic."""

    topic: ShortText
    why: ShortText | None = None
    ids: list[ShortText] = Field(default=[], max_length=MOST_LETTERS)


class RoundBody(_RequestBody):
    """Why a round is asked for."""

    why: ShortText = "asked for by an operator"


class AbortBody(_RequestBody):
    """Which round to end; without a number the one under way."""

    round: int | None = None
    why: ShortText | None = None


def create_app(conductor: Conductor, sources: Sources, token: str, metrics: MetricsDoor | None = None) -> FastAPI:
    """The application over a running conductor; `metrics` says who may read its figures without the `token`."""
    openapi = f"{PREFIX}/openapi.json"
    app = FastAPI(
        title="Understudy control plane", version=__version__, openapi_url=openapi, docs_url=None, redoc_url=None
    )
    conductor.purges.reach(lambda tenant, until: sources.purge(tenant, until))
    conductor.errands.kinds["round"] = Errand("round.requested", "", lambda wish: _requested(sources, wish))
    conductor.errands.kinds["replay"] = Errand("dead.replay", "dead.replayed", lambda wish: _replayed(sources, wish))
    views = Views(conductor, sources)
    experiments = Experiments(conductor, sources)
    parts = [_reads(views, conductor, sources), _acts(views, conductor, sources), _dead(conductor, sources)]
    parts.append(guard_routes(_router("/guard"), conductor, sources))
    for router in (*parts, _experiments(experiments)):
        app.include_router(router, prefix=PREFIX)
    app.include_router(pages())
    _show(app, ControlFigures(conductor, views))
    install(app, openapi)
    app.add_middleware(Door, token=token, public=(openapi, *FILES), metrics=metrics or MetricsDoor())
    return app


def _show(app: FastAPI, figures: ControlFigures) -> None:
    @app.get(METRICS_PATH, include_in_schema=False)
    def metrics() -> Response:
        return Response(figures.page.render(), media_type=CONTENT_TYPE)


class _Route(APIRoute):
    """Leaves out of a reply what was not set in it."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **{**more, "response_model_exclude_unset": True})


def _router(prefix: str = "") -> APIRouter:
    return APIRouter(prefix=prefix, route_class=_Route, responses={"default": {"model": ErrorReply}})


def _reads(views: Views, conductor: Conductor, sources: Sources) -> APIRouter:
    router = _router()

    @router.get("/status")
    def status() -> StatusReply:
        return views.status()

    @router.get("/versions")
    def versions() -> VersionsReply:
        return VersionsReply(versions=views.versions())

    @router.get("/pool")
    def pool() -> PoolReply:
        return PoolReply.model_validate(sources.pool())

    @router.get("/kpis")
    def kpis(by: Literal["arm", "version"] = "arm") -> KpisReply:
        return views.kpis(by)

    @router.get("/rollouts")
    def rollouts() -> RolloutsReply:
        return RolloutsReply(rollouts=views.rollouts())

    @router.get("/rounds")
    def rounds() -> RoundsReply:
        return views.rounds()

    @router.get("/rounds/{number}")
    def round_report(number: RoundNumber) -> RoundReport:
        return views.round(number)

    @router.get("/audit")
    def audit(after: int = Query(default=0, ge=0), limit: int = Query(default=1000, ge=1, le=10_000)) -> AuditReply:
        entries = islice(conductor.deployment.audit.entries(after), limit)
        return AuditReply(entries=[AuditEntry.model_validate(entry) for entry in entries])

    @router.get("/health-report")
    @router.get("/tickets")
    @router.get("/drift")
    def absent() -> NotComputedReply:
        return NotComputedReply(available=False, why=ABSENT)

    return router


def _acts(views: Views, conductor: Conductor, sources: Sources) -> APIRouter:
    router = _router()

    def perform(
        kind: Literal["rollback", "promote"], version: str | None, noted: Noted, force: bool = False
    ) -> MoveReply:
        candidate = conductor.deployment.state.canary
        done = conductor.acts.perform(kind, version, "operator", noted, force)
        if candidate is not None and conductor.deployment.state.record(candidate.version).state == "rolled_back":
            done["taken_back"] = {"version": candidate.version, "round": candidate.round}
        return MoveReply.model_validate(done)

    @router.post("/rollback")
    def rollback(who: Who, body: RollbackBody | None = None) -> MoveReply:
        given = body or RollbackBody()
        return perform("rollback", given.version, who.noted(given.why))

    @router.post("/promote")
    def promote(who: Who, body: PromoteBody) -> MoveReply:
        return perform("promote", body.version, who.noted(body.why), body.force)

    @router.post("/freeze")
    def freeze(who: Who, body: WhatBody) -> FrozenReply:
        frozen = conductor.acts.change(freeze=body.what, actor="operator", noted=who.noted(body.why))
        return FrozenReply.model_validate({"frozen": frozen, **conductor.acts.unaudited()})

    @router.post("/resume")
    def resume(who: Who, body: WhatBody) -> FrozenReply:
        frozen = conductor.acts.change(resume=body.what, actor="operator", noted=who.noted(body.why))
        return FrozenReply(frozen=list(frozen))

    @router.post("/rounds", status_code=202)
    def start_round(who: Who, body: RoundBody | None = None) -> RoundRequestedReply:
        why = (body or RoundBody()).why
        if conductor.deployment.settings.student is not None:
            raise Conflict(f"no round can begin: {views.next_round_waits()}")
        conductor.errands.ask(AskedFor(id=random_id(), act="round", actor="operator", name=why), who.noted(why))
        return RoundRequestedReply(requested=True, why=why, waits=views.next_round_waits())

    @router.post("/rounds/abort")
    def abort_round(who: Who, body: AbortBody | None = None) -> RoundAbortedReply:
        given = body or AbortBody()
        ended = conductor.acts.abort_round(given.round, "operator", who.noted(given.why))
        return RoundAbortedReply.model_validate(ended)

    @router.delete("/pool")
    def purge(who: Who, tenant: ShortName, why: ShortText | None = None) -> PurgeReply:
        done = conductor.purges.ask(tenant, time.time(), "operator", who.noted(why))
        return PurgeReply.model_validate(done.told(tenant))

    return router


def _dead(conductor: Conductor, sources: Sources) -> APIRouter:
    router = _router("/dead")

    @router.get("")
    def letters(topic: ShortText) -> LettersReply:
        return sources.dead().listed(topic)

    @router.get("/{identity}")
    def letter(identity: str, topic: ShortText) -> LetterReply:
        return sources.dead().show(topic, identity)

    @router.post("/replay")
    def replay(who: Who, body: ReplayBody) -> LettersReplayedReply:
        wish = AskedFor(id=random_id(), act="replay", actor="operator", name=body.topic, letters=tuple(body.ids))
        done: LettersReplayedReply = conductor.errands.ask(
            wish, {"topic": body.topic, "ids": body.ids, **who.noted(body.why)}
        )
        return done

    return router


def _requested(sources: Sources, wish: AskedFor) -> tuple[None, Told]:
    """A round asked for; done twice, as after a kill, it begins a second one at worst."""
    sources.request_round(wish.name)
    return None, {}


def _replayed(sources: Sources, wish: AskedFor) -> tuple[LettersReplayedReply, Told]:
    """Letters put back, and how many, for the audit log."""
    done = sources.dead().replay(wish.name, wish.letters)
    counts = {"replayed": len(done.replayed), "before": len(done.before), "failed": len(done.failed)}
    return done, {"topic": done.topic, **counts}


def _experiments(experiments: Experiments) -> APIRouter:
    router = _router("/experiments")

    @router.get("")
    def every() -> ExperimentsReply:
        return ExperimentsReply(experiments=experiments.listed())

    @router.post("/plan")
    def plan(body: Experiment, change: float | None = None, power: float = ENOUGH_POWER) -> PlanReply:
        return experiments.plan(body, change, power)

    @router.get("/{name}")
    def show(name: str) -> ExperimentReply:
        return experiments.show(name)

    @router.put("/{name}")
    def put(who: Who, name: str, body: Experiment, why: ShortText | None = None) -> ExperimentAppliedReply:
        if body.id != name:
            raise BadRequest(f"the body's id is {body.id!r}, the address names {name!r}", param="id")
        return experiments.apply(body, who.noted(why))

    @router.delete("/{name}")
    def stop(who: Who, name: str, why: ShortText | None = None) -> ExperimentStoppedReply:
        return experiments.stop(name, who.noted(why))

    @router.get("/{name}/rows", response_class=StreamingResponse, responses={200: {"model": UnitRowReply}})
    def rows(who: Who, name: str) -> StreamingResponse:
        return StreamingResponse(experiments.rows(name, who.noted()), media_type="application/x-ndjson")

    @router.get("/{name}/results")
    def results(name: str) -> ExperimentResultsReply:
        return experiments.results(name)

    return router
