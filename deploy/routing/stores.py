"""Routing documents and beats of one system: in its state directory, in its Redis, or in both."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.routing.beats import Beats, BeatStore
from deploy.routing.beats_file import FileBeats
from deploy.routing.beats_redis import RedisBeats
from deploy.routing.documents import DocumentStore, RoutingDocuments
from deploy.routing.documents_file import FileDocuments
from deploy.routing.documents_redis import RedisDocuments
from deploy.routing.keys import DeployKeys
from deploy.routing.quick_redis import QuickRedis
from understudy.clock import Clock, boottime, wall
from understudy.state import StateDir


@dataclass(frozen=True, slots=True)
class Routing:
    """What the parts of a system tell each other: the controller by documents, slots and gateways by beats."""

    documents: RoutingDocuments
    beats: Beats


def open_routing(
    state: StateDir | None, redis_url: str | None, prefix: str = "us:", clock: Clock = wall, passed: Clock = boottime
) -> Routing:
    """Over the files of `state`, over the Redis at `redis_url`, or over both.

    `clock` stamps beats for readers; by `passed` those in files grow old, which processes of one machine share. Of
    documents the files count first; a beat goes to Redis first, which a full disk does not hinder.

    Raises:
        ValueError: neither is given.
    """
    documents: list[DocumentStore] = []
    beats: list[BeatStore] = []
    if state is not None:
        documents.append(FileDocuments(state.routing))
        beats.append(FileBeats(state.run, clock, passed))
    if redis_url:
        redis, keys = QuickRedis(redis_url), DeployKeys(prefix)
        documents.append(RedisDocuments(redis, keys))
        beats.insert(0, RedisBeats(redis, keys))
    if not documents:
        raise ValueError("routing needs a state directory or a Redis")
    return Routing(RoutingDocuments(*documents), Beats(*beats, clock=clock))
