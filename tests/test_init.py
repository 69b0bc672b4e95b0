"""`init`: what it writes works at once, and existing files stay as they are."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
import tomli
from conftest import World

from framework.metastore import crypto


@pytest.fixture
def empty(world: World) -> World:
    (world.home / "pyproject.toml").unlink()
    return world


def test_what_it_writes_works_at_once(empty: World) -> None:
    status, out, err = empty.run("init", "--name", "shop")
    assert (status, err) == (0, "")
    assert out == (
        "wrote schema.toml\nwrote shop.cfg\nwrote development.toml\nwrote production.toml\n"
        "wrote pyproject.toml\nnext:\n"
        "  python -m framework dump\n"
        "  python -m framework --env production dump\n"
        "  python -m framework config set server port 9000\n"
        "  SHOP__SERVER__PORT=http python -m framework check\n"
    )
    assert empty.run("check", "--strict") == (0, "", "0 errors, 0 warnings\n")
    status, out, err = empty.run("dump", "--section", "server")
    assert (status, err) == (0, "")
    assert "port = 8080\n" in out
    assert "log_level = debug\n" in out
    assert empty.run("--env", "production", "config", "get-value", "server", "log_level")[:2] == (0, "error\n")
    assert empty.run("--env", "prodution", "check")[0] == 1
    assert empty.run("--env", "production", "check", "--strict") == (0, "", "0 errors, 0 warnings\n")
    assert empty.run("config", "set", "server", "port", "9000")[0] == 0
    assert empty.run("config", "lint")[0] == 0
    modes = {name: stat.S_IMODE((empty.home / name).stat().st_mode) for name in sorted(os.listdir(empty.home))}
    readable = ("development.toml", "production.toml", "pyproject.toml", "schema.toml")
    assert modes == {**dict.fromkeys(readable, 0o644), "shop.cfg": 0o600}
    empty.set(SHOP__SERVER__PORT="http")
    assert empty.run("check")[0] == 1


def test_another_folder(empty: World) -> None:
    status, out, _ = empty.run("init", "services/My Shop_2")
    assert status == 0
    assert out.startswith("wrote services/My Shop_2/schema.toml\nwrote services/My Shop_2/my-shop-2.cfg\n")
    assert "python -m framework --project 'services/My Shop_2' dump\n" in out
    assert empty.run("--project", "services/My Shop_2", "check")[0] == 0


def test_options_before_the_command_apply(empty: World) -> None:
    assert empty.run("--project", "a", "--name", "shop", "init")[0] == 0
    written = ["development.toml", "production.toml", "pyproject.toml", "schema.toml", "shop.cfg"]
    assert sorted(os.listdir(empty.home / "a")) == written


@pytest.mark.parametrize("text", ['[project]\nname = "The.Shop"\n', '[project]\nname = "The.Shop"', "# empty\r\n"])
def test_a_project_file_gets_one_more_table(empty: World, text: str) -> None:
    path = empty.write("pyproject.toml", text, 0o640)
    status, out, _ = empty.run("init", *([] if "name" in text else ["--name", "the-shop"]))
    assert status == 0
    assert "added [tool.framework] to pyproject.toml\n" in out
    after = path.read_bytes().decode()
    assert after.startswith(text)
    assert tomli.loads(after)["tool"]["framework"] == {
        "name": "the-shop",
        "home": ".",
        "schema": "schema.toml",
        "environments": ["development", "production"],
        "config_files": ["{env}.toml?"],
        "dotenv": [".env?"],
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert empty.run("check")[0] == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[tool.framework]\nname = "x"\n', "pyproject.toml:1: there is a [tool.framework] already"),
        ("[tool]\nframework = 1\n", "there is a [tool.framework] already"),
        ("tool = {other = 1}\n", "no [tool.framework] can be added here"),
        ("tool = 1\n", "no [tool.framework] can be added here"),
        ("[project\n", "this is not valid TOML"),
    ],
)
def test_a_project_file_that_cannot_take_it_is_left_alone(empty: World, text: str, expected: str) -> None:
    path = empty.write("pyproject.toml", text)
    status, out, err = empty.run("init", "--name", "shop")
    assert (status, out) == (1, "")
    assert expected in err
    assert path.read_text() == text
    assert os.listdir(empty.home) == ["pyproject.toml"]


def test_it_can_not_be_run_twice(empty: World) -> None:
    assert empty.run("init", "--name", "shop")[0] == 0
    before = {path.name: path.read_bytes() for path in empty.home.iterdir()}
    assert empty.run("init", "--name", "shop")[0] == 1
    assert {path.name: path.read_bytes() for path in empty.home.iterdir()} == before


def test_existing_files_are_kept(empty: World) -> None:
    schema = empty.write("schema.toml", "[a.options.b]\n")
    cfg = empty.write("shop.cfg", "[a]\nb = 1\n")
    status, out, _ = empty.run("init", "--name", "shop")
    assert status == 0
    assert out.startswith("kept schema.toml\nkept shop.cfg\nwrote development.toml\nwrote production.toml\n")
    assert (schema.read_text(), cfg.read_text()) == ("[a.options.b]\n", "[a]\nb = 1\n")
    assert empty.run("check")[0] == 0


@pytest.mark.parametrize(
    ("name", "text"), [("schema.toml", "a = 1\n"), ("shop.cfg", "no section\n"), ("production.toml", "a = 1\n")]
)
def test_files_that_do_not_fit_stop_it(empty: World, name: str, text: str) -> None:
    empty.write(name, text)
    status, out, err = empty.run("init", "--name", "shop")
    assert (status, out) == (1, "")
    assert f"error: {name}" in err
    assert os.listdir(empty.home) == [name]


@pytest.mark.parametrize("name", ["1shop", "a__b", "shop!", ""])
def test_an_invalid_name(empty: World, name: str) -> None:
    status, _, err = empty.run("init", "--name", name)
    assert status == 1
    assert "Pass --name NAME" in err
    assert os.listdir(empty.home) == []


def test_a_folder_without_a_fitting_name(empty: World) -> None:
    assert "Pass --name NAME" in empty.run("init", "2024")[2]
    assert not (empty.home / "2024").exists()


def test_a_file_where_a_folder_should_be(empty: World) -> None:
    empty.write("taken", "")
    status, out, err = empty.run("init", "taken", "--name", "shop")
    assert (status, out) == (1, "")
    assert "Traceback" not in err
    assert Path(empty.home / "taken").read_text() == ""


def test_it_makes_a_key_so_that_the_metastore_can_be_written(empty: World) -> None:
    assert subprocess.run(["git", "init", "-q", str(empty.home)]).returncode == 0
    status, out, err = empty.run("init", "--name", "shop", "--metastore")
    assert (status, err) == (0, "")
    assert "wrote .gitignore: /fernet.key, /shop.db, /.env\nwrote fernet.key\n" in out
    assert "wrote shop.cfg: [core] fernet_key_file = fernet.key\n" in out
    key = empty.home / "fernet.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_text().strip() not in out
    assert empty.run("variables", "set", "vat", "19")[0] == 0
    assert empty.run("variables", "get", "vat")[:2] == (0, "19\n")
    assert empty.run("check", "--strict")[0] == 0
    ignored = subprocess.run(
        ["git", "check-ignore", "fernet.key", "shop.db", "shop.cfg"], cwd=empty.home, capture_output=True, text=True
    )
    assert ignored.stdout == "fernet.key\nshop.db\n"


def test_an_existing_project_gets_a_key_once(empty: World) -> None:
    empty.project()
    empty.write("billing.cfg", "# mine\n[core]\nport = 1\n")
    empty.write(".gitignore", "/fernet.key\n*.log", 0o640)
    assert empty.run("init", "--metastore")[0] == 0
    assert (empty.home / "billing.cfg").read_text() == "# mine\n[core]\nport = 1\nfernet_key_file = fernet.key\n"
    assert (empty.home / ".gitignore").read_text() == "/fernet.key\n*.log\n/billing.db\n/.env\n"
    before = {path.name: path.read_bytes() for path in empty.home.iterdir()}
    assert empty.run("init", "--metastore")[:2] == (0, "kept [core] fernet_key: billing.cfg:4\n")
    assert {path.name: path.read_bytes() for path in empty.home.iterdir()} == before


def test_a_key_that_the_environment_has_is_enough(empty: World) -> None:
    empty.set(SHOP__CORE__FERNET_KEY=crypto.generate())
    assert "kept [core] fernet_key: SHOP__CORE__FERNET_KEY\n" in empty.run("init", "--name", "shop", "--metastore")[1]
    assert not (empty.home / "fernet.key").exists()
