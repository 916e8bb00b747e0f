"""The hard-sample pool in Redis: bounded, without near-duplicates, with quotas, text only.

Quotas bind when the pool is full: whoever is over their share makes room, so that one tenant alone
may use all of it, and no tenant can push the others below what is theirs. `sample` applies the same
shares to what it returns. Every method blocks briefly and raises Unavailable while Redis is away.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal, cast

from feedback.events import HARD_KINDS, INPUT_KINDS, HardSample
from feedback.pool.config import PoolConfig
from feedback.pool.minhash import Sketch, similarity, sketch
from feedback.privacy.vault import Purged, Vault
from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys
from feedback.store.scripts import source
from feedback.texts import prompt_text

Outcome = Literal["admitted", "duplicate", "known", "purged"]
ANCHOR = "anchor"
FETCH = 200


class Pool:
    """Hard samples (weight 3 where a check failed, else 1) and anchors (weight 1): what passed, and half of all."""

    def __init__(
        self, client: Client, prefix: str = "us:", config: PoolConfig | None = None, vault: Vault | None = None
    ) -> None:
        """`vault`: under whose keys texts lie in Redis; None: as they are, for whoever only counts."""
        self._redis = client
        self._vault = vault
        self._p = RedisKeys(prefix).pool
        self._config = config or PoolConfig()
        self._script = client.register_script(source("pool"))

    def admit(self, sample: HardSample) -> Outcome:
        """Take a sample; the same id, or a near-duplicate of the same tenant and student, changes nothing."""
        config = self._config
        made = sketch(prompt_text(sample.messages), sample.tenant)
        meta = {
            "tenant": sample.tenant, "kind": sample.kinds[0], "kinds": list(sample.kinds), "bands": made.bands,
            "student": sample.student, "teacher": sample.teacher, "exchange": sample.exchange, "at": sample.at,
        }  # fmt: skip
        shares = [config.capacity, config.tenant_share, config.kind_share, f"{sample.at:.3f}"]
        with redis_errors():
            twin = self._twin(made)
            arguments = [
                sample.id,
                json.dumps(meta),
                self._stored(sample),
                made.signature,
                int(bool(sample.failed_checks)),
                twin,
                *shares,
            ]
            answer = self._script([self._p], ["admit", *arguments])
        return cast(Outcome, answer[1].decode())

    def anchor(self, sample: HardSample) -> bool:
        """Offer an exchange to the reservoir for replay and judging; whether it is in."""
        size = self._config.anchors
        arguments = [
            sample.id,
            self._stored(sample),
            sample.tenant,
            f"{sample.at:.3f}",
            size,
            f"{random.random():.17f}",
        ]
        with redis_errors():
            return bool(self._script([self._p], ["anchor", *arguments]))

    def sample(
        self, n: int, *, kind: str | None = None, after: int = 0, student: str | None = None, seed: int | None = None
    ) -> list[HardSample]:
        """Up to `n` samples, uniformly without repetition within the shares of tenants and kinds.

        `kind`: one of HARD_KINDS as quota kind, or "anchor"; None: hard samples of all kinds. `after`:
        only those whose `seq` is higher; `student`: only those in which it failed a check. With a share used up,
        more come only if too few others exist.
        """
        chance = random.Random(seed)
        if kind == ANCHOR:
            return self._anchors(n, chance)
        key = f"{self._p}kind:{kind}" if kind else f"{self._p}order"
        with redis_errors():
            found: Any = self._redis.zrangebyscore(key, f"({after}", "+inf", withscores=True)
            chance.shuffle(found)
            seqs = {identity.decode(): int(seq) for identity, seq in found}
            metas = self._fetch("meta", list(seqs))
            if student is not None:
                metas = {i: raw for i, raw in metas.items() if _failed_by(student, json.loads(raw))}
            chosen = self._within_shares(n, metas, one_kind=kind is not None)
            texts = self._fetch("text", chosen)
        samples = self._opened(texts[i] for i in chosen if i in texts)
        return [sample.model_copy(update={"seq": seqs[sample.id]}) for sample in samples]

    def every(self) -> Iterator[HardSample]:
        """All that is held, each once: hard samples in their order, then anchors; without what was purged."""
        known = set[str]()
        with redis_errors():
            hard: Any = self._redis.zrange(f"{self._p}order", 0, -1)
            anchors: Any = self._redis.lrange(f"{self._p}anchor:ids", 0, -1)
        for name, found in (("text", hard), ("anchor:text", anchors)):
            ids = [identity.decode() for identity in found if identity.decode() not in known]
            known.update(ids)
            for start in range(0, len(ids), FETCH):
                with redis_errors():
                    texts = self._fetch(name, ids[start : start + FETCH])
                yield from self._opened(texts.values())

    def size(self) -> int:
        """Hard samples held."""
        return self._card("order")

    def anchors(self) -> int:
        """Anchors held."""
        with redis_errors():
            return int(self._redis.llen(f"{self._p}anchor:ids"))

    def last_seq(self) -> int:
        """Number of the newest hard sample ever admitted."""
        with redis_errors():
            return int(cast(Any, self._redis.get(f"{self._p}seq")) or 0)

    def fresh_since(self, seq: int) -> int:
        """Samples with a failed check that came after `seq` and are still here."""
        with redis_errors():
            return int(self._redis.zcount(f"{self._p}failed", f"({seq}", "+inf"))

    def counts_by_kind(self, *, ever: bool = False) -> dict[str, int]:
        """Samples by kind, HARD_KINDS always present, a sample under each of its kinds.

        `ever`: of all that were ever admitted, else of those held now.
        """
        with redis_errors():
            raw: Any = self._redis.hgetall(f"{self._p}{'ever' if ever else 'kinds'}")
        counts = {name.decode(): int(n) for name, n in raw.items()}
        return dict.fromkeys(HARD_KINDS, 0) | counts

    def counts_by_tenant(self) -> dict[str, int]:
        """Hard samples held by tenant."""
        with redis_errors():
            tenants = sorted(t.decode() for t in cast(Any, self._redis.smembers(f"{self._p}tenants")))
        return {tenant: self._card(f"tenant:{tenant}") for tenant in tenants}

    def counters(self) -> dict[str, int]:
        """admitted, duplicate, replaced, evicted, purged since the beginning."""
        with redis_errors():
            raw: Any = self._redis.hgetall(f"{self._p}counters")
        names = ("admitted", "duplicate", "replaced", "evicted", "purged")
        return {name: int(raw.get(name.encode(), 0)) for name in names}

    def purged(self) -> dict[str, float]:
        """Up to when (seconds since the epoch) tenants were purged."""
        with redis_errors():
            raw: Any = self._redis.hgetall(f"{self._p}purged")
        return {tenant.decode(): float(until) for tenant, until in raw.items()}

    def purge(self, tenant: str, now: float) -> int:
        """Remove everything of a tenant, and refuse what happened up to `now`; returns how many went."""
        with redis_errors():
            return int(self._script([self._p], ["purge", tenant, f"{now:.3f}"]))

    def _stored(self, sample: HardSample) -> bytes:
        return self._vault.seal(sample) if self._vault else sample.model_dump_json().encode()

    def _opened(self, texts: Iterable[bytes]) -> Iterator[HardSample]:
        for text in texts:
            with contextlib.suppress(Purged):  # what a purge destroyed a moment ago, or what it could not reach
                yield self._vault.open(HardSample, text) if self._vault else HardSample.model_validate_json(text)

    def _twin(self, made: Sketch) -> str:
        found: Any = self._redis.hmget(f"{self._p}lsh", list(made.bands))
        candidates = sorted({identity.decode() for identity in found if identity})
        if not candidates:
            return ""
        signatures: Any = self._redis.hmget(f"{self._p}signatures", candidates)
        scored = [
            (similarity(made.signature, signature.decode()), identity)
            for identity, signature in zip(candidates, signatures, strict=True)
            if signature
        ]
        best, identity = max(scored, default=(0.0, ""))
        return identity if best >= self._config.duplicate_similarity else ""

    def _anchors(self, n: int, chance: random.Random) -> list[HardSample]:
        with redis_errors():
            found: Any = self._redis.lrange(f"{self._p}anchor:ids", 0, -1)
            ids = [identity.decode() for identity in found]
            texts = self._fetch("anchor:text", chance.sample(ids, min(n, len(ids))))
        return list(self._opened(texts.values()))

    def _within_shares(self, n: int, metas: dict[str, bytes], *, one_kind: bool) -> list[str]:
        tenant_limit = math.ceil(self._config.tenant_share * n)
        kind_limit = n if one_kind else math.ceil(self._config.kind_share * n)
        taken: list[str] = []
        rest: list[str] = []
        used: Counter[str] = Counter()
        for identity, raw in metas.items():
            meta = json.loads(raw)
            tenant, kind = f"t:{meta['tenant']}", f"k:{meta['kind']}"
            if used[tenant] < tenant_limit and used[kind] < kind_limit and len(taken) < n:
                used.update((tenant, kind))
                taken.append(identity)
            else:
                rest.append(identity)
        return taken + rest[: n - len(taken)]

    def _fetch(self, name: str, ids: list[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for start in range(0, len(ids), FETCH):
            part = ids[start : start + FETCH]
            values: Any = self._redis.hmget(f"{self._p}{name}", part)
            found |= {identity: value for identity, value in zip(part, values, strict=True) if value}
        return found

    def _card(self, name: str) -> int:
        with redis_errors():
            return int(self._redis.zcard(f"{self._p}{name}"))


def _failed_by(student: str, meta: dict[str, Any]) -> bool:
    return meta["student"] == student and bool(set(meta["kinds"]) - set(INPUT_KINDS))
