"""The examples, run as a user runs them: from the root of the repository, each in its own process."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD

import framework
from framework import App, Connection, project

ROOT = Path(__file__).parents[1]
BILLING = ROOT / "examples" / "billing"
QUICKSTART = ROOT / "examples" / "quickstart"
FERNET_KEY = (BILLING / "secrets" / "fernet.key").read_text().strip()
FORMATS = ("cfg", "json", "yaml", "toml", "env", "table")

needs_dynaconf = pytest.mark.skipif(find_spec("dynaconf") is None, reason="examples/billing has a dynaconf file")


def run(*words: str, status: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these words, without the settings of whoever runs the tests."""
    clean = {
        n: text
        for n, text in os.environ.items()
        if not n.startswith(("BILLING_", "QUICKSTART_", "SHOP_", "FRAMEWORK_"))
    }
    clean.pop("ARCHIVE_ROOT", None)
    clean |= {"PYTHONPATH": str(Path(framework.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1", **env}
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=clean, capture_output=True, text=True, timeout=GUARD)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def billing(*words: str, status: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    return run("-m", "framework", "--project", "examples/billing", *words, status=status, **env)


def made_in_process(**environ: str) -> App:
    found = project.find(str(BILLING), named=True)
    assert found is not None
    return App(**found.settings, environ={"PATH": os.environ["PATH"], **environ})


def shows_a_secret(text: str) -> bool:
    """Every secret of the examples says that it is made up; so does the key, below its base64."""
    texts = ("made-up-", FERNET_KEY, base64.b64encode(b"made-up-").decode()[:-2])
    return any(secret in text for secret in texts)


@pytest.fixture(scope="module")
def dumped() -> dict[str, Any]:
    """What `dump` says with one option in the environment."""
    words = ("dump", "--format", "json", "--sources", "--connections", "--variables")
    shown: dict[str, Any] = json.loads(billing(*words, BILLING__LOGGING__LEVEL="ERROR").stdout)
    return shown


HIDDEN = "< hidden >"
#: section, key, value, source, file of the origin and link: every layer, pointer form and link is here.
ROWS: list[tuple[str, str, Any, str, str, str]] = [
    ("logging", "level", "ERROR", "environment", "BILLING__LOGGING__LEVEL", ""),
    ("server", "port", 9443, ".env", ".env", ""),
    ("support", "chat_token", HIDDEN, ".env", ".env", ""),
    ("server", "workers", 4, "config file", "production.toml", ""),
    ("payments", "provider", "cardhouse", "config file", "production.toml", ""),
    ("payments", "currencies", ["EUR", "CHF", "SEK"], "config file", "production.toml", ""),
    ("invoices", "tax_rates", {"AT": 20, "CH": 8.1, "DE": 19}, "config file", "production.toml", ""),
    ("mail", "smtp_host", "smtp.example", "settings", "settings.toml", ""),
    ("ledger", "pool_size", 20, "settings", "settings.toml", ""),
    ("ledger", "statement_timeout", 30.0, "settings", "settings.toml", ""),
    ("ledger", "database_url", HIDDEN, "settings", ".secrets.toml", ""),
    ("server", "host", "0.0.0.0", "main cfg", "billing.cfg", ""),
    ("server", "allowed_origins", ["https://shop.example", "https://admin.example"], "main cfg", "billing.cfg", ""),
    ("payments", "retry_delays", [1, 5, 30, 300], "main cfg", "billing.cfg", ""),
    ("invoices", "footer", "Example & Daughters, reverse charge 0%", "main cfg", "billing.cfg", ""),
    ("invoices", "number_format", "EX-%08d", "main cfg", "billing.cfg", ""),
    ("invoices", "archive_dir", "/srv/billing/invoices", "main cfg", "billing.cfg", ""),
    ("invoices", "template_dir", str(BILLING / "templates"), "default", "default", ""),
    ("server", "debug", False, "default", "default", ""),
    ("payments", "minimum_amount", 0.5, "default", "default", ""),
    ("invoices", "signing_key", HIDDEN, "main cfg (cmd)", "billing.cfg", ""),
    ("core", "fernet_key", HIDDEN, "main cfg (file)", "billing.cfg", ""),
    ("payments", "api_key", HIDDEN, "config file (secret)", "production.toml", "local_filesystem"),
    ("payments", "merchant_accounts", HIDDEN, "main cfg (secret)", "billing.cfg", "local_filesystem"),
    ("payments", "webhook_key", HIDDEN, "main cfg (secret)", "billing.cfg", "environment"),
    ("mail", "smtp_password", HIDDEN, "main cfg (secret)", "billing.cfg", "metastore"),
]


@needs_dynaconf
@pytest.mark.parametrize(("section", "key", "value", "source", "file", "link"), ROWS)
def test_billing_values_and_origins(
    dumped: dict[str, Any], section: str, key: str, value: Any, source: str, file: str, link: str
) -> None:
    row = dumped[section][key]
    assert (row["value"], row["source"]) == (value, source)
    assert row.get("redacted", False) == (value == HIDDEN)
    place, _, answered = row["origin"].partition(" -> ")
    assert answered == link
    if (BILLING / file).exists():
        path, _, line = place.rpartition(":")
        assert path == f"examples/billing/{file}"
        assert key in (BILLING / file).read_text().split("\n")[int(line) - 1].lower()
    else:
        assert place == file


@needs_dynaconf
def test_billing_old_name_is_reported(dumped: dict[str, Any]) -> None:
    row = dumped["server"]["url_prefix"]
    assert (row["value"], row["source"]) == ("/billing", "main cfg")
    assert row["origin"].endswith(" as [web] base_path")


@needs_dynaconf
def test_billing_has_no_undeclared_section(dumped: dict[str, Any]) -> None:
    schema = made_in_process().schema
    declared = {
        option.section for option in schema if not option.own
    }  # the framework's own are shown where they are set
    # An inline table is a value, not a section.
    assert declared < set(dumped) <= {*schema.sections, "connections", "variables"}


@needs_dynaconf
def test_billing_connections_and_variables_name_their_link(dumped: dict[str, Any]) -> None:
    assert {name: row["link"] for name, row in dumped["connections"].items()} == {
        "archive": "metastore",
        "cache": "environment",
        "payments_api": "local_filesystem",
        "statements": "local_filesystem",
        "warehouse": "metastore",
    }
    assert {name: row["link"] for name, row in dumped["variables"].items()} == {
        "batch_size": "local_filesystem",
        "maintenance": "environment",
        "newsletter": "metastore",
        "reminder_days": "local_filesystem",
    }
    assert dumped["variables"]["batch_size"]["value"] == "200"


@needs_dynaconf
def test_billing_override_is_above_all() -> None:
    app = made_in_process(BILLING__SERVER__PORT="9000")
    with app.conf.override({("server", "port"): "1"}):
        layers = [mention.layer for mention in app.conf.explain("server", "port").mentions]
        assert app.conf.value("server", "port") == 1
    assert layers == ["override", "environment", ".env", "config file", "settings", "main cfg", "default"]
    assert app.conf.value("server", "port") == 9000


@needs_dynaconf
@pytest.mark.external
def test_billing_secrets_are_what_their_pointers_lead_to() -> None:
    app = made_in_process()
    assert app.conf.get("payments", "api_key") == "made-up-live-api-key"
    assert app.conf.get("payments", "webhook_key") == "made-up-webhook-key"
    assert app.conf.get("mail", "smtp_password") == "made-up-smtp-password"
    assert app.conf.get("invoices", "signing_key") == "made-up-signing-key"
    assert app.conf.get("core", "fernet_key") == FERNET_KEY
    assert app.conf.value("payments", "merchant_accounts")["CHF"]["pin"] == "made-up-pin-chf"
    assert app.get_connection("cache").password == "made-up-cache-password"
    assert app.get_connection("warehouse").password == "made-up-warehouse-password"


@needs_dynaconf
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.external
def test_billing_shows_every_type() -> None:
    app = made_in_process()
    own = [option for option in app.schema if not option.own]
    assert 30 <= len(own) <= 40
    types = "string integer float boolean list json timedelta import path"
    assert {option.type for option in own} == set(types.split())
    assert any(option.choices for option in own)
    assert any(option.renamed_from for option in own)
    assert any(option.deprecated for option in own)
    for option in own:
        app.conf.value(option.section, option.name)  # it converts


@needs_dynaconf
def test_billing_dump_shows_no_secret_in_any_format() -> None:
    for form in FORMATS:
        done = billing("dump", "--format", form, "--sources", "--connections", "--variables")
        assert not shows_a_secret(done.stdout + done.stderr), form
    for words in (("check",), ("explain", "payments", "api_key"), ("explain", "--connection", "statements")):
        done = billing(*words)
        assert not shows_a_secret(done.stdout + done.stderr), words
    assert shows_a_secret(billing("dump", "--show-secrets").stdout)  # so there was something to hide


@needs_dynaconf
def test_billing_dump_is_a_cfg_file_that_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "dumped.cfg"
    file.write_text(billing("dump").stdout)
    read, app = App("billing", home=str(tmp_path), config=str(file), environ={}), made_in_process()
    for section, key in (("invoices", "footer"), ("invoices", "number_format"), ("server", "port")):
        assert read.conf.get(section, key) == app.conf.get(section, key)
    assert not read.conf.has_option("payments", "api_key")


@needs_dynaconf
def test_billing_collision_is_reported() -> None:
    done = billing("explain", "--variable", "batch_size", "--output", "json")
    assert {row["link"]: row["answer"] for row in json.loads(done.stdout)} == {
        "local_filesystem": "found",
        "environment": "absent",
        "metastore": "shadowed",
    }


@needs_dynaconf
def test_billing_shadowed_pointer_is_listed() -> None:
    out = billing("explain", "payments", "api_key").stdout
    assert out.index("production.toml") < out.index("billing.cfg")


@needs_dynaconf
def test_billing_check_finds_no_error_and_what_is_old() -> None:
    out = billing("check").stdout
    assert "error" not in out
    for warned in ("[web] base_path", "legacy_layout", "webhook_key_secret", "smtp_password_secret"):
        assert out.count(warned) == 1


@needs_dynaconf
def test_billing_app_runs_and_shows_no_secret() -> None:
    done = run("examples/billing/app.py")
    assert done.stdout.startswith("billing serves http://0.0.0.0:9443, 0:00:15 for a request\n")
    assert "invoice EX-00000042, 200 in one go, reported to postgres at warehouse.example" in done.stdout
    assert not shows_a_secret(done.stdout + done.stderr)
    assert "http://0.0.0.0:1," in run("examples/billing/app.py", BILLING__SERVER__PORT="1").stdout


@needs_dynaconf
def test_billing_is_read_and_never_written() -> None:
    def state() -> dict[str, tuple[int, bytes]]:
        files = [path for path in sorted(BILLING.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    before = state()
    billing("dump", "--connections", "--variables")
    run("examples/billing/app.py")
    assert state() == before


@needs_dynaconf
def test_billing_metastore_is_what_the_script_makes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'made.db'}"
    done = run("examples/billing/make_metastore.py", BILLING__DATABASE__SQL_ALCHEMY_CONN=url)
    assert done.stdout == f"5 rows written to {tmp_path / 'made.db'}\n"
    committed, made = made_in_process(), made_in_process(BILLING__DATABASE__SQL_ALCHEMY_CONN=url)
    assert rows_of(committed) == rows_of(made)
    assert not shows_a_secret((BILLING / "billing.db").read_bytes().decode("latin-1"))


def rows_of(app: App) -> dict[str, Any]:
    store = app.store
    rows = {}
    for kind in ("connection", "variable", "config"):
        for name, value in store.get_many(kind, store.list_names(kind)).items():
            rows[f"{kind} {name}"] = value.to_dict() if isinstance(value, Connection) else value
    assert len(rows) == 5
    return rows


def test_quickstart_is_about_ten_lines() -> None:
    lines = (QUICKSTART / "main.py").read_text().split("\n")
    assert len([line for line in lines if line]) <= 10
    assert sorted(path.name for path in QUICKSTART.iterdir() if path.is_file()) == ["main.py", "quickstart.cfg"]


def test_quickstart_runs() -> None:
    done = run("examples/quickstart/main.py")
    assert done.stdout.split("\n")[:3] == ["serving on localhost:8080", "the mail password has 21 letters", "hello"]
    assert not shows_a_secret(done.stdout + done.stderr)


def test_quickstart_obeys_the_environment() -> None:
    done = run("examples/quickstart/main.py", QUICKSTART__SERVER__PORT="1", QUICKSTART_VAR_GREETING="hi")
    assert done.stdout.split("\n")[:3] == ["serving on localhost:1", "the mail password has 21 letters", "hi"]


def test_quickstart_dump() -> None:
    words = ("-m", "framework", "--name", "quickstart", "--config", "examples/quickstart/quickstart.cfg", "dump")
    out = run(*words, "--format", "json", "--sources").stdout
    options = json.loads(out)
    assert options["server"]["port"]["value"] == "8080"
    assert options["mail"]["password"]["source"] == "main cfg (cmd)"
    assert not shows_a_secret(out)


# shop: settings as a class


def shop(*words: str, status: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("annotated_types")
    return run(*words, status=status, **env)


def test_shop_runs() -> None:
    result = shop("examples/shop/main.py")
    assert result.stdout.splitlines() == [
        "the shop serves https://localhost:8443, 0:01:30 for a request",
        "it sends from Graz, Basel, prices in EUR",
        "payments with ***",
    ]


def test_shop_reports_everything_that_is_wrong() -> None:
    result = shop("examples/shop/main.py", status=1, SHOP__SERVER__PORT="0", SHOP__ORDERS__CURRENCY="USD")
    assert result.stderr.splitlines() == [
        "Settings: 2 faults",
        "  SHOP__SERVER__PORT: [server] port: expected at least 1, not '0'",
        "  SHOP__ORDERS__CURRENCY: [orders] currency: expected one of 'EUR', 'CHF', not 'USD'",
    ]


def test_shop_is_checked_and_dumped_as_its_page_shows() -> None:
    project = ("-m", "framework", "--project", "examples/shop")
    assert shop(*project, "check").stderr == "0 errors, 0 warnings\n"
    page = (ROOT / "examples" / "shop" / "README.md").read_text()
    dumped = shop(*project, "dump").stdout
    assert not shows_a_secret(dumped)
    comments = ("# default", "# config file", "# the effective")
    lines = [line for line in dumped.splitlines() if line and not line.startswith(comments)]
    assert lines == [line[4:] for line in page.splitlines() if line.startswith("    ") and "python" not in line]
    explained = shop(*project, "explain", "server", "port").stdout
    assert "Below 1024 only for root." in explained
