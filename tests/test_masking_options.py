"""Airflow's options about masking, in homes of Airflow: with `use()` and without, at the start and after a reload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from framework import App, masking


def home(tmp_path: Path, text: str = "", **environ: str) -> App:
    (tmp_path / "airflow.cfg").write_text(text)
    return App("airflow", home=str(tmp_path), environ=environ)


@pytest.mark.parametrize(
    ("written", "hidden", "shown"),
    [
        ("CVV, Iban Number,", ["cvv", "my_CVV_2", "iban-number", "password"], ["other", ""]),
        (" , ", ["password"], ["cvv"]),
        ("", ["api_key"], ["cvv"]),
    ],
)
def test_more_sensitive_names(tmp_path: Path, written: str, hidden: list[str], shown: list[str]) -> None:
    home(tmp_path, AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES=written)
    assert all(map(masking.should_hide_value_for_name, hidden))
    assert not any(map(masking.should_hide_value_for_name, shown))


def test_a_reload_obeys_what_is_written_now(tmp_path: Path) -> None:
    app = home(tmp_path, "[core]\nsensitive_var_conn_names = cvv\n")
    assert masking.should_hide_value_for_name("cvv")
    (tmp_path / "airflow.cfg").write_text("[core]\nsensitive_var_conn_names = iban\n")
    app.reload()
    assert masking.should_hide_value_for_name("iban") and not masking.should_hide_value_for_name("cvv")


@pytest.mark.parametrize("used", [False, True])
def test_names_hide_nothing_where_the_home_says_so(tmp_path: Path, used: bool) -> None:
    app = home(tmp_path, AIRFLOW__CORE__HIDE_SENSITIVE_VAR_CONN_FIELDS="False")
    if used:
        app.use()
    masking.add_mask("registered")
    assert masking.redact({"password": "plain"}) == {"password": "plain"}
    assert masking.redact({"password": "registered", "x": "registered"}) == {"password": "***", "x": "***"}


@pytest.mark.parametrize(("least", "masked"), [("0", "ab"), ("3", "abc"), ("5", "abcde"), ("9", "abcdefghi")])
def test_the_shortest_secret(tmp_path: Path, least: str, masked: str) -> None:
    home(tmp_path, AIRFLOW__LOGGING__MIN_LENGTH_MASKED_SECRET=least)
    masking.add_mask(masked)
    assert masking.redact_text(f"<{masked}>") == "<***>"
    masking.reset()
    home(tmp_path, AIRFLOW__LOGGING__MIN_LENGTH_MASKED_SECRET=str(len(masked) + 1))
    masking.add_mask(masked)
    assert masking.redact_text(f"<{masked}>") == f"<{masked}>"


def test_a_leaf_of_a_secret_is_not_made_of_one_letter(tmp_path: Path) -> None:
    home(tmp_path, AIRFLOW__LOGGING__MIN_LENGTH_MASKED_SECRET="0")
    masking.add_mask('{"password": "x"}')
    assert masking.redact_text("an example") == "an example"


def test_a_value_without_sense_is_the_default_and_check_names_it(world: Any) -> None:
    world.write(
        "airflow.cfg", "[logging]\nmin_length_masked_secret = five\n[core]\nhide_sensitive_var_conn_fields = x\n"
    )
    world.set(AIRFLOW_HOME=str(world.home))
    App("airflow")
    assert masking.should_hide_value_for_name("password")
    status, out, _ = world.run("--name", "airflow", "check")
    assert status == 1 and "airflow.cfg:2" in out and "airflow.cfg:4" in out


def test_another_application_has_no_effect_on_masking(tmp_path: Path) -> None:
    home(tmp_path, AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES="cvv")
    App("billing", home=str(tmp_path), environ={"BILLING__CORE__SENSITIVE_VAR_CONN_NAMES": "iban"}).use()
    assert masking.should_hide_value_for_name("cvv") and not masking.should_hide_value_for_name("iban")


def test_variables_and_connections_of_the_command_line(world: Any) -> None:
    world.set(AIRFLOW_HOME=str(world.home), AIRFLOW_VAR_MY_CVV="123456", AIRFLOW_VAR_PLAIN="shown-1")
    app = App("airflow", home=str(world.home)).use()
    app.get_variable("my_cvv")
    assert masking.redact_text("123456") == "123456"
    world.set(AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES="CVV")
    App("airflow", home=str(world.home)).get_variable("my_cvv")
    assert masking.redact_text("123456") == "***"
