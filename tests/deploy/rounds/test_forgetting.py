"""What goes of a tenant's rounds, and which versions learned from it."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.registry.manifest import Manifest
from deploy.rounds.forgetting import draws_on, forget_rounds, learned_from, targets_of


def fill(root: Path, number: int, *tenants: str) -> Path:
    folder = root / str(number)
    (folder / "select").mkdir(parents=True)
    lines = [json.dumps({"id": str(n), "tenant": tenant}) for n, tenant in enumerate(tenants)]
    (folder / "select" / "train.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "score").mkdir()
    (folder / "score" / "shard-0.targets").write_bytes(b"targets")
    return folder


def version(name: str, parent: str | None, created: float, round_: int | None, *tenants: str) -> Manifest:
    return Manifest.model_construct(
        version=name, parent=parent, created=created, round=round_, lineage={"tenants": list(tenants)}
    )


def test_rows_targets_and_prompts_go_and_those_of_others_stay(tmp_path: Path) -> None:
    with_both, others = fill(tmp_path, 1, "acme", "other"), fill(tmp_path, 2, "other")
    head = {"schema_version": 1, "leaders": ["ours to hide", "theirs", "of nobody"], "owners": ["acme", "other"]}
    cached = [targets_of(tmp_path / "kept" / "targets", tenant) for tenant in ("acme", "other")]
    former = tmp_path / "kept" / "targets" / "ab"
    for folder in (*cached, former):
        folder.mkdir(parents=True)
    (tmp_path / "kept" / "reservoir.jsonl").write_text(json.dumps(head) + '\n{"tenant": "acme"}\n{"tenant": "other"}\n')
    summary = {"largest_clusters": [{"prompt": "ours to"}, {"prompt": "theirs"}, {"prompt": ""}]}
    (others / "select" / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "kept" / "reservoir.damaged").write_text('{"leaders": ["ours to hide"')
    gone = forget_rounds(tmp_path, "acme")
    assert (gone.rounds, gone.rows, gone.prompts) == ((1,), 2, 1)
    assert (with_both / "select" / "train.jsonl").read_text() == '{"id": "1", "tenant": "other"}\n'
    assert (list((with_both / "score").iterdir()), len(list((others / "score").iterdir()))) == ([], 1)
    left, *rows = (tmp_path / "kept" / "reservoir.jsonl").read_text().splitlines()
    assert (json.loads(left)["leaders"], rows) == (["", "theirs", "of nobody"], ['{"tenant": "other"}'])
    told = json.loads((others / "select" / "summary.json").read_text())["largest_clusters"]
    assert [entry["prompt"] for entry in told] == ["", "theirs", ""]
    assert [folder.exists() for folder in (*cached, former)] == [False, True, False]
    assert not (tmp_path / "kept" / "reservoir.damaged").exists()
    cached[0].mkdir()
    assert forget_rounds(tmp_path, "acme").rows == 0
    assert not cached[0].exists(), "though its rows went with their rounds"
    assert forget_rounds(tmp_path / "nowhere", "acme").rounds == ()


def test_leaders_are_blanked_by_tenant_and_by_id_in_whatever_order_a_purge_was_cut_off(tmp_path: Path) -> None:
    ours = {"id": "c1", "tenant": "acme", "at": 1.0, "sealed": "k.AAAA"}
    led = [ours, {"id": "r-c2", "tenant": "other", "prompt": "x"}]
    (tmp_path / "kept").mkdir()
    reservoir = tmp_path / "kept" / "reservoir.jsonl"
    reservoir.write_text(json.dumps({"schema_version": 2, "led": led}) + "\n")
    told = tmp_path / "1" / "select" / "clusters.json"
    told.parent.mkdir(parents=True)
    former = {"cluster": "c1", "prompt": "as the release before wrote it"}
    for _ in range(2):
        told.write_text(json.dumps({"clusters": [{"cluster": "c1", "led": led[0]}, {"led": led[1]}, former]}))
        forget_rounds(tmp_path, "acme")
        blank = {"id": "c1", "tenant": "acme", "at": 1.0, "prompt": ""}
        kept = [{"cluster": "c1", "led": blank}, {"led": led[1]}, {"cluster": "c1", "prompt": ""}]
        assert json.loads(told.read_text())["clusters"] == kept
        assert json.loads(reservoir.read_text().splitlines()[0])["led"] == [blank, led[1]]
    assert forget_rounds(tmp_path, "acme").prompts == 0


def test_versions_that_learned_and_those_trained_from_them_are_named(tmp_path: Path) -> None:
    fill(tmp_path, 1, "acme")
    fill(tmp_path, 2, "other")
    versions = [
        version("v4", "v3", 4.0, 2, "other"), version("v1", None, 1.0, None), version("v2", "v1", 2.0, 1),
        version("v3", "v2", 3.0, 2, "other"), version("v5", "v1", 5.0, 9, "acme"), version("v6", "v1", 6.0, 2),
    ]  # fmt: skip
    assert learned_from(versions, tmp_path, "acme") == (["v2", "v5"], ["v3", "v4"])
    assert draws_on(tmp_path, 1, "acme")
    assert not draws_on(tmp_path, 2, "acme")
    assert not draws_on(tmp_path, 7, "acme")


def test_rows_that_blends_are_compared_on_go_as_well(tmp_path: Path) -> None:
    folder = fill(tmp_path, 1, "other")
    development = folder / "select" / "development.jsonl"
    development.write_text('{"id": "a", "tenant": "acme"}\n{"id": "b", "tenant": "other"}\n')
    assert draws_on(tmp_path, 1, "acme")
    assert forget_rounds(tmp_path, "acme").rows == 1
    assert development.read_text() == '{"id": "b", "tenant": "other"}\n'
