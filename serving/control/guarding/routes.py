"""Routes under /admin/v1/guard: rules read and changed, breakers of users closed, flagged requests shown and marked."""

from __future__ import annotations

import contextlib
import time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from deploy.control.asked.errands import Errand, Told
from deploy.control.conductor import Conductor
from deploy.life.state import AskedFor
from deploy.routing.guard_change import LONGEST_DAYS, AllowWish, Default, GuardChange
from deploy.routing.guarding import GuardMode, GuardRules
from serving.breaker.users import asker_named, is_name, user_name
from serving.control.door import Operator
from serving.control.replies.guard import FlaggedReply, FlaggedTextReply, GuardReply, MarkedReply, ReleasedReply
from serving.control.sources import Sources
from understudy.errors import BadRequest, Unavailable
from understudy.ids import random_id

ShortName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Reason = Annotated[str, StringConstraints(max_length=500)]
Whoever = Annotated[Operator, Depends(Operator)]


class _GuardAsked(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class AllowBody(_GuardAsked):
    """Whose requests are let through, and for how long: all that is given must apply."""

    tenant: ShortName | None = None
    system: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    user: ShortName | None = None
    """As `status` names it, or with `tenant` the user's own name."""
    days: float = Field(gt=0, le=LONGEST_DAYS)


class GuardBody(_GuardAsked):
    """What is to be another; `default` takes back what was set."""

    mode: GuardMode | Default | None = None
    tenant: ShortName | None = None
    flag: float | Default | None = None
    degrade: float | Default | None = None
    allow: AllowBody | None = None
    disallow: list[ShortName] = Field(default=[], max_length=100)
    why: Reason | None = None


class ReleaseBody(_GuardAsked):
    """Whose breaker to close: its name in `status`, or with `tenant` the user's own."""

    user: ShortName
    tenant: ShortName | None = None
    why: Reason | None = None


class MarkBody(_GuardAsked):
    """What an operator says of a flagged request: harmless (`good`) or an attack; of a harmless one its user is let
    through again, with `days` for so long whatever the guard says."""

    mark: Literal["good", "bad"]
    days: float | None = Field(default=None, gt=0, le=LONGEST_DAYS)
    why: Reason | None = None


def guard_routes(router: APIRouter, conductor: Conductor, sources: Sources) -> APIRouter:
    """`router` with the routes of the guard."""
    conductor.errands.kinds["mark"] = Errand("guard.marked", "", lambda wish: _marked(sources, wish))
    conductor.errands.kinds["release"] = Errand("guard.released", "", lambda wish: _released(sources, wish))

    @router.get("")
    def show() -> GuardReply:
        document = conductor.context.document
        rules = conductor.deployment.state.guard or GuardRules()
        return GuardReply(rules=rules, epoch=0 if document is None else document.epoch)

    @router.post("")
    def change(who: Whoever, body: GuardBody) -> GuardReply:
        rules, made, epoch = conductor.acts.set_guard(change_of(body), "operator", who.noted(body.why))
        return GuardReply(rules=rules, epoch=epoch, rule=made)

    @router.post("/release")
    def release(who: Whoever, body: ReleaseBody) -> ReleasedReply:
        name = breaker_of(body.user, body.tenant)
        wish = AskedFor(id=random_id(), act="release", actor="operator", name=name)
        conductor.errands.ask(wish, {"breaker": name, **who.noted(body.why)})
        return ReleasedReply(released=name)

    @router.get("/flagged")
    def flagged(
        appeals: bool = False, tenant: ShortName | None = None, limit: int = Query(default=100, ge=1, le=1000)
    ) -> FlaggedReply:
        return FlaggedReply(entries=sources.flagged().listed(time.time(), appeals, tenant, limit))

    @router.get("/flagged/{identity}")
    def flagged_text(identity: str) -> FlaggedTextReply:
        entry, exchange = sources.flagged().show(identity)
        if exchange is None:
            return FlaggedTextReply(entry=entry)
        return FlaggedTextReply(entry=entry, messages=exchange.messages, reply=exchange.reply, model=exchange.model)

    @router.post("/flagged/{identity}")
    def mark(who: Whoever, identity: str, body: MarkBody) -> MarkedReply:
        entry = sources.flagged().find(identity)
        if body.days is not None and (body.mark != "good" or not entry.user):
            raise BadRequest("`days` lets the user of a harmless request through: none is known here", param="days")
        wish = AskedFor(id=random_id(), act="mark", actor="operator", name=entry.id, mark=body.mark)
        conductor.errands.ask(wish, {"flagged": entry.id, "mark": body.mark, **who.noted(body.why)})
        released = ""
        if body.mark == "good" and entry.user:
            with contextlib.suppress(Unavailable):
                sources.release(entry.user)
                released = entry.user
        rule = ""
        if body.days is not None:
            change = GuardChange(allow=AllowWish(user=entry.user, days=body.days))
            why = body.why or f"flagged request {entry.id}"
            _, rule, _ = conductor.acts.set_guard(change, "operator", who.noted(why))
        return MarkedReply(id=entry.id, mark=body.mark, released=released, rule=rule)

    return router


def change_of(body: GuardBody) -> GuardChange:
    """The change that is asked for.

    Raises:
        BadRequest: a user cannot be told, or nothing is asked for.
    """
    asked = body.model_dump(exclude={"why", "allow"}, exclude_defaults=True)
    if body.allow is not None:
        wish = body.allow.model_dump()
        if wish["user"] is not None:
            wish["user"] = breaker_of(wish["user"], None if is_name(wish["user"]) else wish["tenant"])
        asked["allow"] = AllowWish(**wish)
    if not asked or set(asked) == {"tenant"}:
        raise BadRequest("say what is to change: a mode, a threshold, an exception to make or to end", param="mode")
    return GuardChange.model_validate(asked)


def breaker_of(user: str, tenant: str | None) -> str:
    """What a user's breaker is called.

    Raises:
        BadRequest: without `tenant`, `user` is no name of one.
    """
    name = user if tenant is None else user_name(tenant, asker_named(user))
    if not is_name(name):
        raise BadRequest("without `tenant`, `user` is one of `breaker.users` of `status`", param="user")
    return name


def _marked(sources: Sources, wish: AskedFor) -> tuple[None, Told]:
    """A flagged request marked by hand."""
    sources.flagged().mark(wish.name, wish.mark)
    return None, {}


def _released(sources: Sources, wish: AskedFor) -> tuple[None, Told]:
    """A user's breaker closed by hand."""
    sources.release(wish.name)
    return None, {}
