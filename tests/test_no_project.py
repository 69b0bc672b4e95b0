"""A command for an application without any file reports what it looked for, and fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import World


@pytest.fixture
def nothing(world: World) -> World:
    (world.home / "pyproject.toml").unlink()
    return world


TOLD = (
    "nothing was found for the application 'framework': no pyproject.toml with [tool.framework] in the working "
    "directory, no folder framework (FRAMEWORK_HOME is not set), no file framework/framework.cfg, "
    "no variable FRAMEWORK__…. Go to the folder of the project, or pass --project DIR, --app or --name."
)


@pytest.mark.parametrize("words", [["check"], ["check", "--offline"], ["dump"], ["explain", "server", "port"]], ids=str)
def test_no_project(nothing: World, words: list[str]) -> None:
    status, _, err = nothing.run(*words)
    assert status == 2 and f"error: {TOLD}\n" in err and "0 errors" not in err


@pytest.mark.parametrize("words", [["check"], ["dump", "--format", "json"], ["explain", "core", "fernet_key"]], ids=str)
def test_a_name_with_nothing_behind_it(nothing: World, words: list[str]) -> None:
    status, _, err = nothing.run("--name", "biling", *words)
    assert status == 2
    assert "nothing was found for the application 'biling': no folder biling (BILING_HOME is not set)" in err
    assert "Check the name, or set BILING_HOME." in err


def a_home(world: World) -> None:
    world.write("billing/billing.cfg", "[server]\nport = 1\n")


def variables(world: World) -> None:
    world.set(BILLING__SERVER__PORT="1")


def a_connection(world: World) -> None:
    world.set(BILLING_CONN_WAREHOUSE="postgres://h/d")


def a_project(world: World) -> None:
    world.project()


@pytest.mark.parametrize("what", [a_home, variables, a_connection, a_project], ids=lambda what: what.__name__)
def test_the_name_of_something_similar_is_offered(nothing: World, what: Any) -> None:
    what(nothing)
    assert nothing.run("--name", "biling", "check")[2].rstrip().endswith("Did you mean --name billing?")


@pytest.mark.parametrize("what", [a_home, variables, a_connection], ids=lambda what: what.__name__)
def test_what_exists_is_checked(nothing: World, what: Any) -> None:
    what(nothing)
    assert nothing.run("--name", "billing", "check") == (0, "", "0 errors, 0 warnings\n")
    assert nothing.run("--name", "billing", "dump")[0] == 0


def test_a_home_that_is_set_but_does_not_exist(nothing: World) -> None:
    nothing.set(BILLING_HOME=str(nothing.home / "no"))
    status, _, err = nothing.run("--name", "billing", "check")
    assert status == 2 and "no folder no (BILLING_HOME is set to it)" in err


def test_other_commands_go_on(nothing: World) -> None:
    assert nothing.run("fernet", "generate")[0] == 0
    assert nothing.run("--name", "biling", "config", "get-value", "secrets", "use_cache")[:2] == (0, "True\n")


def test_a_project_or_an_app_object_selects_an_application(world: World) -> None:
    assert world.run("check") == (0, "", "0 errors, 0 warnings\n")
    (world.home / "pyproject.toml").unlink()
    world.write("boot_of_shop.py", "from framework import App\napp = App('shop')\n")
    assert world.run("--app", "boot_of_shop:app", "check")[0] == 0


def test_dump_shows_what_is_the_application_s(world: World) -> None:
    world.write("billing.cfg", "[server]\nport = 1\n[secrets]\nuse_cache = false\n")

    def shown(*words: str) -> Any:
        status, out, _ = world.run("dump", "--format", "json", *words)
        assert status == 0
        return json.loads(out)

    assert shown() == {"server": {"port": "1"}, "secrets": {"use_cache": False}}
    everything = shown("--all")
    assert everything["secrets"]["on_failure"] == "stop" and everything["server"] == {"port": "1"}
    assert shown("--section", "secrets") == {"secrets": everything["secrets"]}
    world.set(BILLING__SECRETS__ON_FAILURE="stop")  # set, though to the default
    assert shown()["secrets"] == {"use_cache": False, "on_failure": "stop"}
