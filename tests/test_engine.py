"""Precedence, liveness and provenance: who wins, who is asked, and what is run."""

from __future__ import annotations

import itertools
import os
import threading
import warnings
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

from framework import App, errors
from framework.names import POINTER_FORMS

SCHEMA = {
    "core": {
        "options": {
            "plain": {"default": "schema"},
            "token": {"sensitive": True, "default": "schema"},
            "fresh": {"default": "schema", "renamed_from": [{"section": "old", "key": "stale", "since": "2.0"}]},
            "client_secret": {"default": "an option"},
            "client": {"sensitive": True},
            "bare": {},
            "gone": {"default": "x", "version_deprecated": "1.0"},
        }
    }
}


def app_with(tmp_path: Path, files: dict[str, str], environ: dict[str, str] | None = None, **more: Any) -> App:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **(environ or {})}
    return App("billing", schema=SCHEMA, home=str(tmp_path), environ=environ, **more)


#: Every layer that can write [core] plain, high to low, and how.
LAYERS = ("override", "environment", ".env", "second file", "first file", "settings", "main cfg", "default")


def written(tmp_path: Path, layers: set[str]) -> App:
    def if_in(layer: str, text: str) -> str:
        return text if layer in layers else ""

    files = {
        "billing.cfg": "[core]\n" + if_in("main cfg", "plain = main cfg\n"),
        "first.toml": "[core]\n" + if_in("first file", 'plain = "first file"\n'),
        "second.yaml": "core:\n  other: 1\n" + if_in("second file", "  plain: second file\n"),
        "settings.toml": "[default.core]\n" + if_in("settings", 'plain = "settings"\n'),
        "dot.env": if_in(".env", "BILLING__CORE__PLAIN='.env'\n"),
    }
    return app_with(
        tmp_path,
        files,
        {"BILLING__CORE__PLAIN": "environment"} if "environment" in layers else {},
        config_files=[str(tmp_path / "first.toml"), str(tmp_path / "second.yaml")],
        settings_files=[str(tmp_path / "settings.toml")],
        dotenv=str(tmp_path / "dot.env"),
    )


@pytest.mark.parametrize("highest", range(len(LAYERS)))
def test_each_layer_wins_over_all_below_it(tmp_path: Path, highest: int) -> None:
    present = set(LAYERS[highest:])
    app = written(tmp_path, present)
    values = {("core", "plain"): "override"} if "override" in present else {}
    with app.conf.override(values):
        expected = "schema" if LAYERS[highest] == "default" else LAYERS[highest]
        assert app.conf.get("core", "plain") == expected
        named = [mention.layer for mention in app.conf.explain("core", "plain").mentions]
    assert named == [
        layer.replace("second file", "config file").replace("first file", "config file") for layer in LAYERS[highest:]
    ]


def test_every_answer_knows_layer_file_and_line(tmp_path: Path) -> None:
    app = written(tmp_path, set(LAYERS))
    origins = [mention.origin.removeprefix(f"{tmp_path}/") for mention in app.engine.mentions("core", "plain")]
    assert origins == [
        "BILLING__CORE__PLAIN",
        "dot.env:1",
        "second.yaml:3",
        "first.toml:2",
        "settings.toml:2",
        "billing.cfg:2",
        "default",
    ]


def test_forms_within_a_layer_and_layers_before_forms(tmp_path: Path) -> None:
    forms = {"token": "plain", "token_cmd": "printf from-cmd", "token_secret": "name", "token_file": "secret.txt"}
    for present in itertools.chain.from_iterable(itertools.combinations(forms, n) for n in range(1, 5)):
        text = "[core]\n" + "".join(f"{key} = {forms[key]}\n" for key in forms if key in present)
        app = app_with(
            tmp_path, {"billing.cfg": text, "secret.txt": "from-file\n"}, {"BILLING_SECRET_NAME": "from-secret"}
        )
        winner = next(key for key in forms if key in present)
        expected = {"token": "plain", "token_cmd": "from-cmd", "token_secret": "from-secret", "token_file": "from-file"}
        assert app.conf.get("core", "token") == expected[winner]

    app = app_with(
        tmp_path,
        {"billing.cfg": "[core]\ntoken = low\n", "high.cfg": "[core]\ntoken_secret = name\n"},
        {"BILLING_SECRET_NAME": "from-secret"},
        config_files=[str(tmp_path / "high.cfg")],
    )
    assert app.conf.get("core", "token") == "from-secret"


def test_a_shadowed_pointer_is_never_followed(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    app = app_with(
        tmp_path,
        {"billing.cfg": f"[core]\ntoken_cmd = touch {marker}\n", "high.cfg": "[core]\ntoken = plain\n"},
        config_files=[str(tmp_path / "high.cfg")],
    )
    assert app.conf.get("core", "token") == "plain"
    assert app.conf.has_option("core", "token")
    assert len(app.conf.explain("core", "token").mentions) == 3
    assert not marker.exists()


def test_has_option_runs_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    app = app_with(tmp_path, {"billing.cfg": f"[core]\nclient_cmd = touch {marker}\n"})
    assert app.conf.has_option("core", "client")
    assert not app.conf.has_option("core", "bare")
    assert not marker.exists()


def test_a_bad_percent_in_a_shadowed_mention_does_no_harm(tmp_path: Path) -> None:
    app = app_with(tmp_path, {"billing.cfg": "[core]\nplain = 100%\n"}, {"BILLING__CORE__PLAIN": "fine"})
    assert app.conf.get("core", "plain") == "fine"


def test_a_declared_option_is_never_the_pointer_of_another(tmp_path: Path) -> None:
    app = app_with(tmp_path, {"billing.cfg": "[core]\nclient_secret = a-value\n"})
    assert app.conf.get("core", "client_secret") == "a-value"
    with pytest.raises(errors.OptionNotFound):
        app.conf.get("core", "client")


def test_a_pointer_to_an_option_that_is_not_sensitive_is_ignored_with_one_warning(tmp_path: Path) -> None:
    app = app_with(tmp_path, {"billing.cfg": "[core]\nplain_cmd = printf x\n"})
    with pytest.warns(errors.FrameworkWarning, match=r"plain_cmd is ignored"):
        assert app.conf.get("core", "plain") == "schema"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert app.conf.get("core", "plain") == "schema"


def test_the_environment_is_live_in_every_direction(tmp_path: Path) -> None:
    environ: dict[str, str] = {"PATH": os.environ["PATH"]}
    app = App("billing", schema=SCHEMA, home=str(tmp_path), environ=environ)
    get = app.conf.get
    assert get("core", "token") == "schema"
    environ["BILLING__CORE__TOKEN"] = "one"
    assert get("core", "token") == "one"
    environ["BILLING__CORE__TOKEN"] = "two"
    assert get("core", "token") == "two"
    del environ["BILLING__CORE__TOKEN"]
    assert get("core", "token") == "schema"
    environ["BILLING__CORE__TOKEN_CMD"] = "printf three"
    assert get("core", "token") == "three"
    environ["BILLING__CORE__TOKEN"] = ""
    assert get("core", "token") == ""


def test_os_environ_is_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = App("billing", schema=SCHEMA, home=str(tmp_path))
    assert app.conf.get("core", "fresh") == "schema"
    monkeypatch.setenv("BILLING__OLD__STALE", "old")
    with pytest.warns(DeprecationWarning, match="rename"):
        assert app.conf.get("core", "fresh") == "old"
    monkeypatch.setenv("BILLING__CORE__FRESH", "new")
    assert app.conf.get("core", "fresh") == "new"
    monkeypatch.delenv("BILLING__CORE__FRESH")
    monkeypatch.delenv("BILLING__OLD__STALE")
    assert app.conf.get("core", "fresh") == "schema"


def test_what_a_value_expands_is_live_too(tmp_path: Path) -> None:
    environ = {"BILLING__CORE__PLAIN": "$WHO", "WHO": "one"}
    app = App("billing", schema=SCHEMA, home=str(tmp_path), environ=environ)
    assert app.conf.get("core", "plain") == "one"
    environ["WHO"] = "two"
    assert app.conf.get("core", "plain") == "two"


def test_names_in_any_case_of_letters(tmp_path: Path) -> None:
    app = app_with(tmp_path, {"billing.cfg": "[Core]\nPLAIN = x\n"})
    for section, key in itertools.product(("core", "CORE", "cOrE"), ("plain", "PLAIN", "Plain")):
        assert app.conf.get(section, key) == "x"
        assert app.conf.get(section, key) == "x"  # compiled


def test_old_names_answer_and_warn(tmp_path: Path) -> None:
    app = app_with(tmp_path, {"billing.cfg": "[old]\nstale = f\n"})
    with pytest.warns(DeprecationWarning, match=r"billing.cfg:2 writes \[old\] stale.*\[core\] fresh"):
        assert app.conf.get("core", "fresh") == "f"
    app = app_with(tmp_path, {})
    with pytest.warns(FutureWarning, match=r"\[old\] stale is now called \[core\] fresh"):
        assert app.conf.get("old", "stale") == "f"
    assert app.conf.get("core", "fresh", lookup_from_deprecated=False) == "schema"


def test_the_current_name_beats_the_older_in_one_layer_and_the_layer_beats_both(tmp_path: Path) -> None:
    app = app_with(tmp_path, {"billing.cfg": "[old]\nstale = old\n[core]\nfresh = new\n"})
    assert app.conf.get("core", "fresh") == "new"
    app = app_with(tmp_path, {}, {"BILLING__OLD__STALE": "old in a higher layer"})
    with pytest.warns(DeprecationWarning):
        assert app.conf.get("core", "fresh") == "old in a higher layer"


def test_overrides_belong_to_their_context(tmp_path: Path) -> None:
    app = app_with(tmp_path, {})
    seen: list[str] = []
    with app.conf.override({("Core", "Plain"): "outer"}):
        with app.conf.override({("core", "token"): "inner"}):
            assert app.conf.get("core", "plain") == "outer"
            assert app.conf.get("core", "token") == "inner"
            thread = threading.Thread(target=lambda: seen.append(app.conf.get("core", "plain")))
            thread.start()
            thread.join()
            context = copy_context()
            thread = threading.Thread(target=lambda: seen.append(context.run(app.conf.get, "core", "plain")))
            thread.start()
            thread.join()
        assert app.conf.get("core", "token") == "schema"
    assert app.conf.get("core", "plain") == "schema"
    assert seen == ["schema", "outer"]


def test_an_override_is_of_one_application(tmp_path: Path) -> None:
    one, other = app_with(tmp_path, {}), app_with(tmp_path, {})
    with one.conf.override({("core", "plain"): "x"}):
        assert (one.conf.get("core", "plain"), other.conf.get("core", "plain")) == ("x", "schema")


def test_an_app_without_a_schema_takes_every_pointer(tmp_path: Path) -> None:
    (tmp_path / "billing.cfg").write_text("[db]\npassword_cmd = printf secret\nhost = h\n")
    app = App("billing", home=str(tmp_path), environ={"PATH": os.environ["PATH"]})
    assert app.conf.get("db", "password") == "secret"
    assert app.answer("db", "password").sensitive
    assert not app.answer("db", "host").sensitive


def test_sensitive_patterns_make_pointers(tmp_path: Path) -> None:
    app = app_with(tmp_path, {"billing.cfg": "[core]\nplain_cmd = printf x\n"}, sensitive=["core.pl*"])
    assert app.conf.get("core", "plain") == "x"
    assert app.conf.is_sensitive("core", "plain")
    assert not app.conf.is_sensitive("secrets", "backend")


def test_empty_text_is_a_value(tmp_path: Path) -> None:
    app = app_with(tmp_path, {"billing.cfg": "[core]\nplain = x\n"}, {"BILLING__CORE__PLAIN": ""})
    assert app.conf.get("core", "plain") == ""


def test_typed_files_keep_their_types(tmp_path: Path) -> None:
    text = '[core]\nplain = true\nport = 8080\nhosts = ["a", "b"]\nlimits = {low = 1.5}\nwhen = 2026-01-02\n'
    app = app_with(tmp_path, {"typed.toml": text}, config_files=[str(tmp_path / "typed.toml")])
    conf = app.conf
    assert conf.get("core", "plain") == "true"
    assert conf.get("core", "port") == "8080"
    assert conf.get("core", "hosts") == '["a", "b"]'
    assert conf.get("core", "limits") == '{"low": 1.5}'
    assert conf.get("core", "when") == "2026-01-02"
    assert conf.getlist("core", "hosts") == ["a", "b"]
    assert conf.getjson("core", "limits") == {"low": 1.5}
    assert conf.getint("core", "port") == 8080
    assert conf.value("core", "port") == 8080
    assert conf.getboolean("core", "plain") is True


def test_reload_reads_files_and_pointers_again(tmp_path: Path) -> None:
    app = app_with(tmp_path, {"billing.cfg": "[core]\nplain = one\nclient_file = token\n", "token": "first\n"})
    assert (app.conf.get("core", "plain"), app.conf.get("core", "client")) == ("one", "first")
    (tmp_path / "billing.cfg").write_text("[core]\nplain = two\nclient_file = token\n")
    (tmp_path / "token").write_text("second\n")
    assert (app.conf.get("core", "plain"), app.conf.get("core", "client")) == ("one", "first")
    app.reload()
    assert (app.conf.get("core", "plain"), app.conf.get("core", "client")) == ("two", "second")


def test_a_retired_default_does_not_count(tmp_path: Path) -> None:
    assert not app_with(tmp_path, {}).conf.has_option("core", "gone")


def test_reads_write_nothing(tmp_path: Path) -> None:
    home = tmp_path / "not there"
    before = dict(os.environ)
    app = App("billing", home=str(home))
    app.conf.as_dict()
    with pytest.raises(errors.ConnectionNotFound):
        app.get_connection("x")
    assert not home.exists()
    assert dict(os.environ) == before


def test_many_options_and_spellings_stay_bounded(tmp_path: Path) -> None:
    app = App("billing", home=str(tmp_path), environ={})
    for number in range(20_100):
        with app.conf.override({}):
            pass
        app.engine.compiled["s", str(number)] = ("x", None, None, "")
    app.conf.get("secrets", "backend")
    assert len(app.engine.compiled) <= 20_100


@pytest.mark.parametrize("form", POINTER_FORMS)
def test_pointers_are_kept_until_reload(tmp_path: Path, form: str) -> None:
    counter = tmp_path / "count"
    (tmp_path / "script").write_text(f"echo x >> {counter}\ncat {counter} | wc -l\n")
    (tmp_path / "value").write_text("kept")
    pointer = {"cmd": f"sh {tmp_path}/script", "secret": "name", "file": "value"}[form]
    environ = {"BILLING_SECRET_NAME": "kept"}
    app = app_with(tmp_path, {"billing.cfg": f"[core]\ntoken_{form} = {pointer}\n"}, environ)
    first = app.conf.get("core", "token")
    assert app.conf.get("CORE", "token") == first == app.answer("core", "token").value
    if form == "cmd":
        assert counter.read_text() == "x\n"


def test_what_one_override_pointed_at_is_not_what_the_next_one_gets(tmp_path: Path) -> None:
    """Each is a layer of its own, wherever it is in memory."""
    app, file = app_with(tmp_path, {"billing.cfg": "[core]\n"}), tmp_path / "value"
    for number in range(50):
        file.write_text(f"value {number}")
        with app.conf.override({("core", "token_file"): str(file)}):
            assert app.conf.get("core", "token") == f"value {number}"
