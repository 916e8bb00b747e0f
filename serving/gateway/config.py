"""Configuration of the gateway: listener, limits, deadlines, keys, control tokens."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from deploy.engines.tokens import CONTROL_TOKENS, splittable
from serving.breaker.config import EngineBreakerConfig
from understudy.config import Section

FILES = 64
"""Descriptors set aside for files, pipes and listeners."""


class ApiKey(Section):
    """A key that clients may use: the HMAC of it, never itself, and whose traffic it is."""

    hmac: str = Field(pattern=r"^[0-9a-f]{64}$")
    """HMAC-SHA256 of the key in hex, keyed by `gateway.key_secret`."""
    tenant: str = Field(default="default", min_length=1, max_length=200)
    """Whose traffic it is."""


class TenantLimits(Section):
    """What a tenant may use; what is left out has no limit of its own."""

    requests_per_minute: int | None = Field(default=None, gt=0)
    """Requests to engines; what is not used is saved up to a minute's worth."""
    tokens_per_minute: int | None = Field(default=None, gt=0)
    """Tokens of prompts and replies: estimated when a request comes, settled by what its reply says was used."""
    max_concurrent: int | None = Field(default=None, gt=0)
    """Requests in flight."""
    max_prompt: int | None = Field(default=None, gt=0)
    """Longest prompt in characters; `gateway.max_prompt` holds beside it."""


class GatewayConfig(Section):
    """Section `gateway`; times in seconds, sizes in bytes.

    A request whose `priority` is not between 0 and 9, so that it would overtake everybody else's, or whose `n` is
    above `max_choices`, is refused.
    """

    host: str = "127.0.0.1"
    """Address to listen on; beyond this machine only with keys, or with `allow_anybody`."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0: any free one."""
    workers: int = Field(default=1, ge=1, le=64)
    """Processes that serve on the port, each on a core of its own at best; one that dies or hangs is replaced. Each has
    a spool, a heartbeat, an access log and the bounds of this section to itself; limits of tenants are one for all in
    Redis alone."""
    hang_seconds: float = Field(default=20.0, ge=3)
    """One of several workers whose event loop does nothing for so long, or for six times as long before it is at work,
    is killed and replaced."""
    max_body: int = Field(default=8 << 20, gt=0)
    """Largest body of a request."""
    max_buffered: int = Field(default=256 << 20, gt=0)
    """Bodies held at once over all connections; beyond it a body above 64 KiB gets 503."""
    max_head: int = Field(default=64 << 10, gt=0)
    """Longest head of a request."""
    max_concurrent: int = Field(default=1024, gt=0)
    """Completion requests in flight, from the end of their head on; one more gets 429."""
    max_connections: int | None = Field(default=None, gt=0)
    """Connections of clients open at once; one more gets 503. None, and at most: a third of the descriptors that the
    process may open, 64 of them set aside for files, so that every client may have an engine and every engine be idle.
    """
    max_connections_per_address: int | None = Field(default=None, gt=0)
    """From one address; None: half of all. Behind a proxy, which has one address, as many as of all."""
    half_close: bool = False
    """Whether a client that closed its sending side may still read; else it has gone, and its engine request ends."""
    max_choices: int = Field(default=128, gt=0)
    """Largest `n`; each choice costs as much as a request."""
    head_seconds: float = Field(default=10, gt=0)
    """For a client to send its head, from the connection or the first byte on."""
    body_seconds: float = Field(default=60, gt=0)
    """For a client to send its body."""
    keep_alive_seconds: int = Field(default=75, gt=0)
    """How long an idle connection of a client stays open."""
    connect_seconds: float = Field(default=3, gt=0)
    """For a connection to an engine."""
    first_byte_seconds: float = Field(default=120, gt=0)
    """For an engine to begin a stream; then it counts as failed, and the other arm may stand in."""
    idle_seconds: float = Field(default=60, gt=0)
    """Longest silence within a streamed reply."""
    reply_seconds: float = Field(default=600, gt=0)
    """For an engine to give a reply that does not stream, which begins when it is complete; beyond it 504. Long work
    is no failure, so no other arm is asked."""
    deadline_seconds: float | None = Field(default=None, gt=0)
    """For a whole request, to the last byte of its reply; then its engine stops. None: none, but what a client asks for
    by `x-understudy-deadline: SECONDS`, which can only be less."""
    max_prompt: int | None = Field(default=None, gt=0)
    """Longest prompt in characters: the texts of all messages, or `prompt`; a token id counts as four. None: any."""
    reuse_seconds: float = Field(default=4, ge=0)
    """How long an idle engine connection is used again; below the engine's own keep-alive (vLLM: 5)."""
    retry_share: float = Field(default=0.2, ge=0, le=1)
    """Fallbacks to the other arm, as a share of requests; ten a second are allowed whatever the traffic. 0: none."""
    reroute_tries: int = Field(default=3, ge=0)
    """How often a request is routed again because its engine holds another version now."""
    reroute_seconds: float = Field(default=5, gt=0)
    """For all of those tries together."""
    engine_breaker: EngineBreakerConfig = EngineBreakerConfig()
    """When an address of an engine is left alone."""
    drain_seconds: float = Field(default=4, ge=0)
    """How long running replies may go on after SIGTERM."""
    capture_bytes: int = Field(default=256 << 10, gt=0)
    """Of a reply kept for capture; a longer one is served whole and captured as truncated."""
    control_tokens: tuple[str, ...] = CONTROL_TOKENS
    """Tokens of chat templates that are neutralised inside message text, for engines that do not tell theirs. Those
    beyond the default ones hold for every engine."""
    key_secret: str = Field(default="", repr=False)
    """Secret under which `api_keys` are hashed; asked for once there are any."""
    api_keys: tuple[ApiKey, ...] = ()
    """Beside those of `understudy keys`, which need no restart. None of either: any bearer is accepted."""
    tenants: dict[str, TenantLimits] = Field(default_factory=dict)
    """Limits by tenant, `*` those of each that is not named; `default` is whoever needs no key. Counted in Redis over
    all gateways, by each gateway alone while Redis is away."""
    reply_tokens: int = Field(default=512, gt=0)
    """What a reply is taken to use of a tenant's tokens while it is under way, if the request has no `max_tokens`."""
    allow_anybody: bool = False
    """Whether a gateway that knows no key may listen beyond this machine, and so serve everybody; else none starts."""

    def connections(self, descriptors: int) -> tuple[int, int]:
        """How many connections of clients there may be, in all and from one address, by the process's `descriptors`."""
        room = max(1, (descriptors - FILES) // 3)
        most = room if self.max_connections is None else min(room, self.max_connections)
        each = max(1, most // 2) if self.max_connections_per_address is None else self.max_connections_per_address
        return most, min(most, each)

    @model_validator(mode="after")
    def _keyed(self) -> Self:
        if self.api_keys and not self.key_secret:
            raise ValueError(
                "`api_keys` need a `key_secret`, a random text of your own; the hmac of a key is what "
                '`printf %s "$KEY" | openssl dgst -sha256 -hmac "$KEY_SECRET"` prints'
            )
        return self

    @field_validator("control_tokens")
    @classmethod
    def _splittable(cls, tokens: tuple[str, ...]) -> tuple[str, ...]:
        for token in tokens:
            if not splittable(token):
                raise ValueError(f"each needs two characters or more of the basic plane, not {token!r}")
        return tokens
