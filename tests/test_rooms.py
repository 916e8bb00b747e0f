"""The house in order: folders and modules of a size one can read, one name for one thing, tests where one looks."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("understudy", "ab", "feedback", "deploy", "serving", "online_distill", "onboard")
PACKAGES = (*PRODUCT, "demo", "examples", "bench", "trials")
LONGEST_MODULE = 350
FULLEST_FOLDER = 14
LARGEST_HOT_PATH = 1200
"""Lines of `serving/gateway/http/`, which is all that is written by hand of HTTP."""
ALIKE = {"bench"}
"""Folders that are lists of alike things, such as commands, kinds, losses."""
TESTED_AS = {
    # Each of the twins is tested by the suite that both must pass, so that neither has promises of its own.
    "deploy/control/lease_file.py": "tests/deploy/control/test_lease_contract.py",
    "deploy/control/lease_redis.py": "tests/deploy/control/test_lease_contract.py",
    # What it finds is what the command says of a real state directory.
    "deploy/witness/collect.py": "tests/deploy/witness/test_commands.py",
    "deploy/routing/beats_redis.py": "tests/deploy/routing/test_beats_contract.py",
    "serving/gateway/tenants/shared.py": "tests/serving/gateway/tenants/test_limiter.py",
}
"""Modules that another place tests, with why that is the better place: {module: test file or folder}."""
WITHOUT_DECISIONS = 3
"""Functions and methods up to which a module counts as a declaration that needs no test file of its own."""


def modules(packages: tuple[str, ...]) -> Iterator[Path]:
    """Every module of `packages`, relative to the checkout."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT)


def names(path: Path) -> Iterator[str]:
    """Classes and type aliases of a module, without a leading underscore."""
    for node in ast.parse((ROOT / path).read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield node.name.lstrip("_")
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name[0].isupper() and not name.isupper() and isinstance(node.value, ast.Subscript):
                yield name


def declared(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function has nothing but a docstring or an ellipsis, as the methods of a Protocol."""
    return all(isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) for line in function.body)


def functions(path: Path) -> int:
    """Functions and methods in a module that do something."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    found = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return sum(not declared(node) for node in found)


def test_no_module_is_longer_than_one_can_hold_in_mind() -> None:
    long = {
        str(path): lines
        for path in modules((*PACKAGES, "tests"))
        if (lines := len((ROOT / path).read_text("utf-8").splitlines())) > LONGEST_MODULE
    }
    assert long == {}


def test_http_that_is_written_by_hand_stays_small() -> None:
    files = (ROOT / "serving/gateway/http").glob("*.py")
    assert sum(len(path.read_text("utf-8").splitlines()) for path in files) <= LARGEST_HOT_PATH


def test_no_folder_is_a_flat_list_of_unlike_modules() -> None:
    folders: dict[str, int] = defaultdict(int)
    for path in modules(PACKAGES):
        folders[str(path.parent)] += path.name != "__init__.py"
    assert {name: n for name, n in folders.items() if n > FULLEST_FOLDER and name not in ALIKE} == {}


def test_a_name_means_one_thing() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path in modules(PACKAGES):
        for name in names(path):
            found[name].append(str(path))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
    assert [str(path) for path in modules(PACKAGES) if path.name == "worker.py"] == ["serving/worker.py"]


def test_every_room_says_what_is_in_it() -> None:
    for path in modules(PACKAGES):
        if path.name == "__init__.py":
            assert ast.get_docstring(ast.parse((ROOT / path).read_text("utf-8"))), path


@pytest.mark.parametrize("package", PRODUCT)
def test_tests_lie_where_one_looks_for_them(package: str) -> None:
    missing = []
    for path in modules((package,)):
        if path.name == "__init__.py" or functions(path) <= WITHOUT_DECISIONS:
            continue
        own = ROOT / "tests" / path.parent / f"test_{path.stem}.py"
        elsewhere = TESTED_AS.get(str(path))
        if not own.is_file() and not (elsewhere and (ROOT / elsewhere).exists()):
            missing.append(str(path))
    assert missing == []


def test_the_exceptions_are_modules_without_a_test_file_of_their_own() -> None:
    assert set(TESTED_AS) <= {str(path) for path in modules(PRODUCT)}
    own = [path for path in map(Path, TESTED_AS) if (ROOT / "tests" / path.parent / f"test_{path.stem}.py").exists()]
    assert own == []
