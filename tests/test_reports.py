"""Public reports of silent, misleading or crashing configuration in other projects, and our answer to each.

One row is one report: what was written, and the right answer. The rows are grouped by kind. When such a report comes up
again, add a row to its group.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from conftest import World

from framework import App, errors, masking

SCHEMA = """
[server.options.host]
default = "localhost"
[server.options.port]
type = "integer"
default = "8000"
[server.options.debug]
type = "boolean"
default = "false"
[server.options.origins]
type = "list"
default = ""
[server.options.limits]
type = "object"
default = "{}"
[server.options.greeting]
default = ""
[server.options.version]
[mail.options.password]
sensitive = true
[mail.options.username]
["providers.jdbc".options.driver]
default = "none"
[db.options.url]
type = "url"
sensitive = true
renamed_from = [{section = "core", key = "db_url", since = "2"}]
"""
REQUIRED = SCHEMA.replace("[mail.options.username]", "[mail.options.username]\nrequired = true")
LONG_ENOUGH = SCHEMA.replace("[mail.options.password]", "[mail.options.password]\nmin_length = 12")


@dataclass(frozen=True)
class Report:
    """One report.

    `get` is the option that is read, with `answer` as its value, or else with an error that has all of `says`.
    `run` are commands, one a line, whose output has all of `says`. `hides` is in no answer.
    `call` is a call, with `answer` as its result.

    Each file is used as its name says: `.env` is a `.env`, `settings.toml` is dynaconf's, `billing.cfg` is the main
    cfg, `config.toml` (yaml, json, cfg) is a config file, `schema.toml` is the schema.
    """

    of: str
    about: str
    files: dict[str, str | bytes] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    project: dict[str, Any] = field(default_factory=dict)
    get: str = ""
    answer: Any = None
    run: str = ""
    call: Callable[[World], Any] | None = None
    says: tuple[str, ...] = ()
    hides: str = ""

    def lay_out(self, world: World) -> None:
        settings: dict[str, Any] = {"schema": "schema.toml"}
        for name, text in {"schema.toml": SCHEMA, **self.files}.items():
            world.write(name, text)
            setting = {".env": "dotenv", "settings": "settings_files", "config": "config_files"}
            if listed := setting.get(name if name == ".env" else name.partition(".")[0]):
                settings.setdefault(listed, []).append(name)
        world.project(**settings | self.project)
        world.set(**self.environ)


def env(text: str) -> dict[str, str | bytes]:
    return {".env": text}


def cfg(text: str) -> dict[str, str | bytes]:
    return {"billing.cfg": text}


GREETING = "BILLING__SERVER__GREETING="
KEY = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"

# -- .env: quotes, comments, line breaks --------------------------------------------------------------

DOTENV = [
    Report(
        "HKUDS/Vibe-Trading#743",
        "what stands behind # in quotes is lost",
        env(GREETING + '"secret # still-part"\n'),
        get="server.greeting",
        answer="secret # still-part",
    ),
    Report(
        "huggingface/huggingface_hub#4751",
        "a value without quotes ends at #",
        env("BILLING__MAIL__PASSWORD=p@ss#word\n"),
        get="mail.password",
        answer="p@ss#word",
    ),
    Report(
        "huggingface/huggingface_hub#4842",
        "an empty value takes the comment behind it",
        env(GREETING + "   # none yet\n"),
        get="server.greeting",
        answer="",
    ),
    Report(
        "joke2k/django-environ#499",
        "# in double quotes is a comment",
        env('BILLING__MAIL__PASSWORD="abc#def"\n'),
        get="mail.password",
        answer="abc#def",
    ),
    Report(
        "joke2k/django-environ#519",
        "a colour in double quotes is one quote",
        env(GREETING + '"#fff"\n'),
        get="server.greeting",
        answer="#fff",
    ),
    Report(
        "joke2k/django-environ#91",
        "a comment becomes a part of the value",
        env(GREETING + "hello # for now\n"),
        get="server.greeting",
        answer="hello",
    ),
    Report(
        "joke2k/django-environ#144",
        "spaces around = make the variable unknown",
        env("BILLING__SERVER__PORT = 9000\n"),
        get="server.port",
        answer=9000,
    ),
    Report(
        "HBNetwork/python-decouple#123",
        "inner quotes are stripped",
        env("BILLING__MAIL__PASSWORD=\"'hello'\"\n"),
        get="mail.password",
        answer="'hello'",
    ),
    Report(
        "theskumar/python-dotenv#35",
        "single quotes stay",
        env("BILLING__DB__URL='postgres://localhost:5432/development'\n"),
        get="db.url",
        answer="postgres://localhost:5432/development",
    ),
    Report(
        "theskumar/python-dotenv#218",
        "a value without quotes ends at a space",
        env(GREETING + "two words\n"),
        get="server.greeting",
        answer="two words",
    ),
    Report(
        "getsops/sops#1127",
        "quotes are a part of the value",
        env('BILLING__MAIL__PASSWORD="bar"\n'),
        get="mail.password",
        answer="bar",
    ),
    Report(
        "theskumar/python-dotenv#82",
        "of a certificate the first line alone is read",
        env(f'BILLING__MAIL__PASSWORD="{KEY}"\nBILLING__SERVER__PORT=9000\n'),
        get="mail.password",
        answer=KEY,
    ),
    Report(
        "direnv/direnv#1487",
        "a line break in single quotes is an invalid line",
        env(GREETING + "'abc\n123'\n"),
        get="server.greeting",
        answer="abc\n123",
    ),
    Report(
        "theskumar/python-dotenv#89",
        "\\n in double quotes is no line break",
        env(GREETING + '"foo\\nbar"\n'),
        get="server.greeting",
        answer="foo\nbar",
    ),
    Report(
        "theskumar/python-dotenv#204",
        "a line that is not an assignment is skipped in silence",
        env("BILLING__SERVER__PORT=9000\nthis is no assignment\n"),
        run="check --offline",
        says=("error: ", ".env:2"),
    ),
    Report(
        "motdotla/dotenv#1030",
        "quotes at both ends that are not a pair are stripped",
        env(GREETING + '"a":"b"\n'),
        run="check --offline",
        says=("error: ", ".env:1"),
    ),
    Report(
        "aikts/yandex-tracker-mcp#22",
        "other programs' variables in the same .env are a crash",
        env("OPENAI_API_KEY=made-up\nPOSTGRES_USER=me\nBILLING__SERVER__PORT=9000\n"),
        run="check --offline",
        says=("0 errors, 0 warnings",),
    ),
    Report(
        "getsops/sops#1951",
        "what is written as .env does not read back: spaces",
        environ={"BILLING__SERVER__GREETING": "some long string"},
        run="dump --format env --changed",
        says=(GREETING + "'some long string'",),
    ),
]

# -- encodings and line ends ---------------------------------------------------------------------------

ENCODINGS = [
    Report(
        "theskumar/python-dotenv#637",
        "the first variable behind a byte order mark is ignored",
        {".env": "\ufeffBILLING__SERVER__PORT=9000\n"},
        get="server.port",
        says=(".env:1", "byte order mark"),
    ),
    Report(
        "theskumar/python-dotenv#526",
        "the same in a cfg file",
        {"billing.cfg": "\ufeff[server]\nport = 9000\n"},
        get="server.port",
        says=("billing.cfg:1", "byte order mark"),
    ),
    Report(
        "wagtail/bakerydemo#289",
        "a file in UTF-16 is a list of warnings and nothing else",
        {".env": "BILLING__SERVER__PORT=9000\n".encode("utf-16")},
        get="server.port",
        says=(".env", "UTF-8"),
    ),
    Report(
        "joho/godotenv#279",
        "lines that end as on Windows",
        {".env": b"BILLING__SERVER__PORT=9000\r\nBILLING__SERVER__GREETING=hello\r\n"},
        get="server.greeting",
        answer="hello",
    ),
]

# -- $ and % -------------------------------------------------------------------------------------------

DOLLARS = [
    Report(
        "motdotla/dotenv#434",
        "a bcrypt hash loses what begins with $",
        env("BILLING__MAIL__PASSWORD=$2y$10$fbdLV2U3Y98LrFYDbn2Fx.d33\n"),
        get="mail.password",
        answer="$2y$10$fbdLV2U3Y98LrFYDbn2Fx.d33",
    ),
    Report(
        "jpadilla/django-dotenv#53",
        "a password ends at $",
        env('BILLING__MAIL__PASSWORD="foo$bar"\n'),
        get="mail.password",
        answer="foo$bar",
    ),
    Report(
        "dotenvx/dotenv-expand#101",
        "what follows $ disappears",
        env('BILLING__MAIL__PASSWORD="ab$defgh@jk"\n'),
        get="mail.password",
        answer="ab$defgh@jk",
    ),
    Report(
        "joke2k/django-environ#415",
        "a key that begins with $ is taken for another variable's name",
        env('BILLING__MAIL__PASSWORD="$a&d3*0k#skh)!5o)$))zz9"\n'),
        get="mail.password",
        answer="$a&d3*0k#skh)!5o)$))zz9",
    ),
    Report(
        "theskumar/python-dotenv#422",
        "${NAME} of a variable that is not set is empty",
        env(GREETING + "${NOBODY_SETS_THIS}\n"),
        get="server.greeting",
        answer="${NOBODY_SETS_THIS}",
    ),
    Report(
        "direnv/direnv#1278",
        "an argon2 hash is gobbled up",
        {"config.toml": "[mail]\npassword = '$argon2id$v=19$m=65540,t=3,p=4$bXBG'\n"},
        get="mail.password",
        answer="$argon2id$v=19$m=65540,t=3,p=4$bXBG",
    ),
    Report(
        "apache/airflow#12440",
        "% in a database URL: denied, with no word on %",
        cfg("[db]\nurl = postgres://me:a%40b@db.example/x\n"),
        get="db.url",
        says=("billing.cfg:2", "[db] url", "%%"),
        hides="a%40b",
    ),
    Report(
        "sqlalchemy/alembic#1279",
        "an encoded @ is an interpolation error",
        environ={"BILLING__DB__URL": "postgres://me:Abc%401234567@db.example/x"},
        get="db.url",
        answer="postgres://me:Abc%401234567@db.example/x",
    ),
    Report(
        "langflow-ai/langflow#1528",
        "%% is written, and %% is used",
        cfg("[db]\nurl = postgres://me:a%%40b@db.example/x\n"),
        get="db.url",
        answer="postgres://me:a%40b@db.example/x",
    ),
    Report(
        "snowflakedb/snowflake-cli#77",
        "% in a password is an InterpolationSyntaxError",
        cfg("[mail]\npassword = 50%off\n"),
        get="mail.password",
        says=("billing.cfg:2", "[mail] password", "%%"),
        hides="50%off",
    ),
]

# -- types ---------------------------------------------------------------------------------------------

TYPES = [
    Report(
        "dynaconf/dynaconf#799",
        "a negative number stays text",
        environ={"BILLING__SERVER__PORT": "-1"},
        get="server.port",
        answer=-1,
    ),
    Report(
        "dask/distributed#1884",
        "a number of the environment stays text",
        environ={"BILLING__SERVER__PORT": "20"},
        get="server.port",
        answer=20,
    ),
    Report(
        "dynaconf/dynaconf#922",
        "a password of digits is a number",
        {"config.toml": "[mail]\npassword = 123456\n"},
        get="mail.password",
        answer="123456",
    ),
    Report(
        "chaddewitt/docker-stats-exporter#6",
        "0 is true",
        environ={"BILLING__SERVER__DEBUG": "0"},
        get="server.debug",
        answer=False,
    ),
    Report(
        "ngosang/restic-exporter#51",
        "False is true",
        environ={"BILLING__SERVER__DEBUG": "False"},
        get="server.debug",
        answer=False,
    ),
    Report(
        "browser-use/browser-use#5837",
        "an empty boolean is true",
        environ={"BILLING__SERVER__DEBUG": ""},
        get="server.debug",
        says=("BILLING__SERVER__DEBUG", "[server] debug", "empty"),
    ),
    Report(
        "uktrade/data-hub-api#902",
        "docker keeps the quotes of a boolean",
        environ={"BILLING__SERVER__DEBUG": "'True'"},
        get="server.debug",
        says=("BILLING__SERVER__DEBUG", "[server] debug", "quotes"),
    ),
    Report(
        "moby/moby#46773",
        "docker keeps the quotes of a number",
        environ={"BILLING__SERVER__PORT": '"8080"'},
        run="check --offline",
        says=("error: BILLING__SERVER__PORT: [server] port:", "quotes"),
    ),
    Report(
        "pydantic/pydantic-settings#919",
        "a, b is not JSON and therefore an error",
        environ={"BILLING__SERVER__ORIGINS": "https://a.example,https://b.example"},
        get="server.origins",
        answer=["https://a.example", "https://b.example"],
    ),
    Report(
        "pydantic/pydantic#3568",
        "a JSON list of a .env is refused",
        env('BILLING__SERVER__ORIGINS=\'["a", "b"]\'\n'),
        get="server.origins",
        answer=["a", "b"],
    ),
    Report(
        "pydantic/pydantic-settings#78",
        "a JSON object of a .env is refused",
        env('BILLING__SERVER__LIMITS=\'{"key":"value"}\'\n'),
        get="server.limits",
        answer={"key": "value"},
    ),
    Report(
        "pydantic/pydantic-settings#311",
        "JSON over several lines is refused",
        env('BILLING__SERVER__LIMITS=\'{\n    "type": "aws"\n}\'\n'),
        get="server.limits",
        answer={"type": "aws"},
    ),
    Report(
        "dynaconf/dynaconf#747",
        "an empty key in JSON is lost",
        environ={"BILLING__SERVER__LIMITS": '{"loggers": {"": {"level": "DEBUG"}}}'},
        get="server.limits",
        answer={"loggers": {"": {"level": "DEBUG"}}},
    ),
    Report(
        "g0ldyy/comet#67",
        "broken JSON is a traceback without the variable's name",
        environ={"BILLING__SERVER__LIMITS": "['a', 'b']"},
        run="check --offline",
        says=("error: BILLING__SERVER__LIMITS: [server] limits:", "JSON"),
    ),
    Report(
        "pydantic/pydantic-settings#198",
        "an empty variable is an error that says nothing of emptiness",
        environ={"BILLING__SERVER__PORT": ""},
        get="server.port",
        says=("BILLING__SERVER__PORT", "[server] port", "empty"),
    ),
    Report(
        "ITISFoundation/osparc-simcore#7300",
        "an empty text is taken for not set",
        environ={"BILLING__MAIL__USERNAME": ""},
        files={"schema.toml": REQUIRED},
        get="mail.username",
        answer="",
    ),
    Report(
        "apify/apify-sdk-python#1080",
        "a variable that docker compose sets to nothing is a value",
        environ={"BILLING_HOME": "", "BILLING_ENV": ""},
        call=lambda world: (world.shown(App("billing").home), App("billing").environment.env),
        answer=("HOME/billing", "development"),
    ),
    Report(
        "redhat-data-and-ai/template-agent#210",
        "an empty key passes",
        {"schema.toml": LONG_ENOUGH},
        environ={"BILLING__MAIL__PASSWORD": ""},
        run="check --offline",
        says=("error: BILLING__MAIL__PASSWORD: [mail] password", "12"),
    ),
    Report(
        "bitnami/containers#65197",
        "a value that begins with a dash is an option of the command line",
        environ={"BILLING__MAIL__PASSWORD": "--PjzohgYFtiYCQjlyDNde"},
        get="mail.password",
        answer="--PjzohgYFtiYCQjlyDNde",
    ),
]

# -- values that are read as something else ------------------------------------------------------------

SURPRISES = [
    Report(
        "wireviz/WireViz#213",
        "a part's number is octal",
        {"config.yaml": "server:\n  greeting: 0510210600\n"},
        run="check --offline",
        says=("config.yaml:2: [server] greeting:", '"0510210600"'),
    ),
    Report(
        "crystal-lang/install-crystal#37",
        "version 1.10 is 1.1",
        {"config.yaml": "server:\n  version: 1.10\n"},
        run="check --offline",
        says=("config.yaml:2: [server] version: 1.10 is read as 1.1", 'version: "1.10"'),
    ),
    Report(
        "home-assistant/core#83545",
        "Norway is false",
        {"config.yaml": "server:\n  greeting: NO\n"},
        run="check --offline",
        says=("config.yaml:2: [server] greeting: NO is read as false", 'greeting: "NO"'),
    ),
    Report(
        "cdelmonte-zg/nanoidp#352",
        "a secret of digits is shown in the error",
        {"config.yaml": "mail:\n  password: 0123456\n"},
        run="check --offline",
        says=("config.yaml:2: [mail] password:", "quotes"),
        hides="0123456",
    ),
    Report(
        "Samsung/ONE#12884",
        "a comment behind a value is a part of it",
        cfg("[server]\nhost = web.example # 1\n"),
        run="check --offline",
        says=("billing.cfg:2: [server] host:", "a comment needs a line of its own"),
    ),
    Report(
        "sam-dumont/immich-video-memory-generator#428",
        "$USER inside a password is replaced",
        cfg("[mail]\npassword = pa$LOGIN_NAME-word\n"),
        environ={"LOGIN_NAME": "me"},
        run="check --offline",
        says=("billing.cfg:2: [mail] password:", "$"),
        hides="-word",
    ),
]


# -- names that mean nothing -----------------------------------------------------------------------------

NAMES = [
    Report(
        "pydantic/pydantic-settings#985",
        "_ instead of __ is silent",
        environ={"BILLING_MAIL_USERNAME": "me"},
        run="check --offline",
        says=("BILLING_MAIL_USERNAME", "did you mean BILLING__MAIL__USERNAME?"),
    ),
    Report(
        "puckel/docker-airflow#109",
        "a misspelt option is silent",
        environ={"BILLING__SERVER__HSOT": "a"},
        run="check --offline",
        says=("error: BILLING__SERVER__HSOT", "did you mean [server] host?"),
    ),
    Report(
        "dynaconf/dynaconf#860",
        "a variable in small letters is silent",
        environ={"billing__server__host": "a"},
        run="check --offline",
        says=("billing__server__host", "did you mean BILLING__SERVER__HOST?"),
    ),
    Report(
        "coreos/bugs#44",
        "an option in the wrong section is silent",
        cfg("[mail]\nport = 9000\n"),
        run="check --offline",
        says=("error: billing.cfg:2: [mail] port", "[server] port"),
    ),
    Report(
        "dynaconf/dynaconf#898",
        "a misspelt setting of the library itself is silent",
        project={"config_fils": ["production.toml"]},
        run="check --offline",
        says=("error: pyproject.toml:", "'config_fils'", "config_files"),
    ),
    Report(
        "apache/airflow#39311",
        "the variable of a section with a dot",
        environ={"BILLING__PROVIDERS_JDBC__DRIVER": "odbc"},
        get="providers.jdbc.driver",
        answer="odbc",
    ),
    Report(
        "apache/airflow#73136",
        "the variable that is shown for a section with a dot has no effect",
        run="config list --section providers.jdbc --include-env-vars",
        says=("BILLING__PROVIDERS_JDBC__DRIVER",),
    ),
    Report(
        "apache/airflow#24690",
        "of a renamed option the new name is not found",
        environ={"BILLING__DB__URL": "postgres://db.example/x"},
        get="db.url",
        answer="postgres://db.example/x",
    ),
    Report(
        "apache/airflow#46517",
        "lint takes the new name for the old one",
        cfg("[db]\nurl = postgres://db.example/x\n"),
        run="config lint",
        says=("nothing is renamed, outdated or removed",),
    ),
]

# -- files ---------------------------------------------------------------------------------------------

FILES = [
    Report(
        "pydantic/pydantic-settings#4",
        "a .env that is not there is silent",
        project={"dotenv": [".env.production"]},
        get="server.port",
        says=(".env.production", "does not exist"),
    ),
    Report(
        "sloria/environs#199",
        "the same, and the error is about a variable",
        project={"dotenv": ["nothing.env"]},
        run="config get-value server port",
        says=("error: ", "nothing.env", "does not exist"),
    ),
    Report(
        "pydantic/pydantic-settings#498",
        "another .env than the one that is named is read",
        {".env": "BILLING__SERVER__PORT=1\n", "custom.env": "BILLING__SERVER__PORT=2\n"},
        call=lambda world: App("billing", home=world.home, dotenv="custom.env").conf.getint("server", "port"),
        answer=2,
    ),
    Report(
        "dynaconf/dynaconf#1053",
        "a settings file that is not there is silent",
        project={"settings_files": ["non_existent_file.toml"]},
        get="server.port",
        says=("non_existent_file.toml", "does not exist"),
    ),
    Report(
        "roboll/helmfile#559",
        "one of several files that is not there is silent",
        {"config.toml": "[server]\nport = 9000\n"},
        project={"config_files": ["config.toml", "secrets.yaml"]},
        get="server.port",
        says=("secrets.yaml", "does not exist"),
    ),
    Report(
        "dynaconf/dynaconf#365",
        "a .local file that may be missing is warned of",
        {"settings.toml": "[default.server]\nport = 9000\n"},
        run="check --offline",
        says=("0 errors, 0 warnings",),
    ),
    Report(
        "pydantic/pydantic#2175",
        "a mounted secret that is not there",
        cfg("[mail]\npassword_file = /run/secrets/nothing/mail\n"),
        run="check",
        says=("error: billing.cfg:2: [mail] password_file", "/run/secrets/nothing/mail", "does not exist"),
    ),
    Report(
        "yaml/pyyaml#165",
        "of two keys of one name the last one wins",
        {"config.yaml": "server:\n  port: 1\n  host: a\n  port: 2\n"},
        get="server.port",
        says=("config.yaml:4", "port"),
    ),
    Report(
        "snowflakedb/ArcticTraining#85",
        "of two sections of one name the last one wins",
        {"config.yaml": "server:\n  port: 1\nserver:\n  host: a\n"},
        get="server.port",
        says=("config.yaml:3", "server"),
    ),
    Report(
        "dynaconf/dynaconf#556",
        "a broken TOML file is a traceback of the parser",
        {"config.toml": "[server]\nport = 80x\n"},
        run="dump",
        says=("error: config.toml:2",),
    ),
]

# -- who wins ------------------------------------------------------------------------------------------

LAYERS = [
    Report(
        "apache/airflow#20092",
        "the default wins over _cmd",
        cfg("[mail]\npassword_cmd = echo made-up-password\n"),
        get="mail.password",
        answer="made-up-password",
    ),
    Report(
        "jkroepke/helm-secrets#429",
        "a reference that is overridden is fetched, and fails",
        {"billing.cfg": "[mail]\npassword_secret = bad-name\n"},
        environ={"BILLING__MAIL__PASSWORD": "made-up-local"},
        get="mail.password",
        answer="made-up-local",
    ),
    Report(
        "dynaconf/dynaconf#306",
        "lists are merged instead of replaced",
        {"config.toml": '[server]\norigins = ["class1", "class2"]\n'},
        environ={"BILLING__SERVER__ORIGINS": "other1, other2"},
        get="server.origins",
        answer=["other1", "other2"],
    ),
    Report(
        "dynaconf/dynaconf#709",
        "a nested option is not overridden by the environment",
        {"config.yaml": "providers:\n  jdbc:\n    driver: a\n"},
        environ={"BILLING__PROVIDERS_JDBC__DRIVER": "b"},
        get="providers.jdbc.driver",
        answer="b",
    ),
    Report(
        "dynaconf/dynaconf#1261",
        "an environment's own file does not override the default",
        {"settings.yaml": "default:\n  server:\n    host: a\nprod:\n  server:\n    host: b\n"},
        environ={"BILLING_ENV": "prod"},
        get="server.host",
        answer="b",
    ),
]

# -- environments, and dynaconf's settings ---------------------------------------------------------------

STAGES = {
    "settings.toml": "[default.server]\nhost = 'a'\n[default.db]\nname = 'x'\n[production.server]\nhost = 'b'\n",
}

ENVIRONMENTS = [
    Report(
        "node-config/node-config#176",
        "a misspelt environment is silently another configuration",
        project={"environments": ["development", "staging", "production"]},
        environ={"BILLING_ENV": "producion"},
        get="server.port",
        says=("producion", "pyproject.toml", "production"),
    ),
    Report(
        "dynaconf/dynaconf#783",
        "an environment that no file has",
        STAGES,
        environ={"BILLING_ENV": "prodution"},
        run="check --offline",
        says=("prodution", "production"),
    ),
    Report(
        "dynaconf/dynaconf#432",
        "a shared file without the environment is warned of",
        {"settings.toml": "[default.server]\nhost = 'a'\n", "settings.more.toml": "[production.server]\nport = 1\n"},
        environ={"BILLING_ENV": "production"},
        run="check --offline",
        says=("0 errors, 0 warnings",),
    ),
    Report(
        "dynaconf/dynaconf#827",
        "a secret replaces the table that it belongs to",
        {
            "schema.toml": "",
            "settings.yaml": "default:\n  DATABASES:\n    ENGINE: sqlite\n",
            ".secrets.yaml": "development:\n  DATABASES__PASSWORD: made-up\n",
        },
        get="databases.engine",
        answer="sqlite",
    ),
    Report(
        "dynaconf/dynaconf#479",
        "a nested table of the default is lost",
        {
            "schema.toml": "",
            "settings.toml": "[default.nested]\na = 1\n[production.nested]\ndynaconf_merge = true\nb = 2\n",
        },
        environ={"BILLING_ENV": "production"},
        run="config get-value nested a\nconfig get-value nested b",
        says=("1\n2\n",),
    ),
]


# -- secrets -------------------------------------------------------------------------------------------

SECRETS = [
    Report(
        "linuxserver/docker-mariadb#120",
        "the line end of a mounted secret is a part of the password",
        {"mounted": "made-up-password\n", "billing.cfg": "[mail]\npassword_file = mounted\n"},
        get="mail.password",
        answer="made-up-password",
    ),
    Report(
        "helmfile/helmfile#1563",
        "a secret that does not exist is empty text",
        cfg("[mail]\npassword_secret = an/invalid/secret\n"),
        get="mail.password",
        says=("billing.cfg:2", "an/invalid/secret", "asked:"),
    ),
    Report(
        "helmfile/helmfile#2496",
        "a part that the secret has not is empty text",
        cfg("[mail]\npassword_secret = smtp#/nonexistent-key\n"),
        environ={"BILLING_SECRET_SMTP": '{"password": "made-up-password"}'},
        get="mail.password",
        says=("billing.cfg:2", "[mail] password_secret", "'smtp'"),
        hides="made-up-password",
    ),
    Report(
        "roboll/helmfile#1849",
        "a _cmd that fails is empty text",
        cfg("[mail]\npassword_cmd = false\n"),
        get="mail.password",
        says=("billing.cfg:2", "false", "status 1"),
    ),
    Report(
        "pydantic/pydantic-settings#937",
        "a missing option shows the secrets of the others",
        {"schema.toml": REQUIRED},
        environ={"BILLING__MAIL__PASSWORD": "made-up-secret"},
        run="check --offline",
        says=("error: ", "[mail] username is required", "BILLING__MAIL__USERNAME"),
        hides="made-up-secret",
    ),
    Report(
        "pydantic/pydantic#8303",
        "a validation error shows the secret itself",
        {"schema.toml": LONG_ENOUGH},
        environ={"BILLING__MAIL__PASSWORD": "made-up"},
        get="mail.password",
        says=("BILLING__MAIL__PASSWORD", "[mail] password", "12"),
        hides="made-up",
    ),
    Report(
        "langflow-ai/langflow#15147",
        "a database URL that is refused is shown with its password",
        environ={"BILLING__DB__URL": "me:made-up-password@db.example"},
        get="db.url",
        says=("BILLING__DB__URL", "[db] url", "URL"),
        hides="made-up-password",
    ),
    Report(
        "apache/airflow#60668",
        "a client's secret is shown, since nobody declares it",
        {"schema.toml": ""},
        environ={"BILLING__LOGIN__CLIENT_SECRET": "made-up-secret"},
        run="dump",
        says=("client_secret = < hidden >",),
        hides="made-up-secret",
    ),
    Report(
        "apache/airflow#28756",
        "all that is set by a variable is hidden",
        environ={"BILLING__SERVER__PORT": "9000"},
        run="dump",
        says=("port = 9000",),
    ),
    Report(
        "apache/airflow#31788",
        "arguments of a backend are shown",
        environ={"BILLING__SECRETS__BACKEND_KWARGS": '{"token": "made-up-token"}'},
        run="dump\nconfig list",
        says=("backend_kwargs = < hidden >",),
        hides="made-up-token",
    ),
    Report(
        "apache/airflow#73255",
        "a dry run of config update prints the passwords",
        cfg("[core]\ndb_url = postgres://me:made-up-password@db.example/x\n[mail]\npassword = made-up-second\n"),
        run="config update",
        says=("[db] url",),
        hides="made-up",
    ),
]

# -- masking -------------------------------------------------------------------------------------------


def logged(text: str) -> Callable[[World], str]:
    """The text as a log shows it, once the option and the variable were read."""

    def call(world: World) -> str:
        app = world.app()
        app.conf.get("mail", "password", fallback=None)
        app.get_variable("api_keys", default=None, deserialize_json=True)
        return masking.redact_text(text)

    return call


MASKING = [
    Report(
        "apache/airflow#63921",
        "secrets of the configuration stand in the logs",
        environ={"BILLING__MAIL__PASSWORD": "made-up-secret"},
        call=logged("the password is made-up-secret"),
        answer="the password is ***",
    ),
    Report(
        "apache/airflow#48105",
        "a secret of one letter hides that letter everywhere",
        environ={"BILLING__MAIL__PASSWORD": "a"},
        call=logged("a value"),
        answer="a value",
    ),
    Report(
        "apache/airflow#31964",
        "a secret inside a JSON variable is not masked",
        environ={"BILLING_VAR_API_KEYS": '{"api_key": "made-up-key-value"}'},
        call=logged("the key is made-up-key-value"),
        answer="the key is ***",
    ),
]

# -- connections, variables and their stores -------------------------------------------------------------

UNREACHABLE = """
from framework import BaseSecretsBackend

class Corp(BaseSecretsBackend):
    def get_conn_value(self, conn_id):
        raise ConnectionError("no route to host")
    get_variable = get_config = get_conn_value
"""
CORP: dict[str, str | bytes] = {"corp.py": UNREACHABLE, "billing.cfg": "[secrets]\nbackend = corp.Corp\n"}


def local(variables: str = "", connections: str = "") -> dict[str, str | bytes]:
    """A folder with the backend of local files."""
    return {
        "variables.json": variables or "{}",
        "connections.json": connections or "{}",
        "billing.cfg": "[secrets]\nbackend = local_filesystem\n"
        'backend_kwargs = {"variables_file_path": "variables.json", "connections_file_path": "connections.json"}\n',
    }


def kept(*keys: str) -> dict[str, str | bytes]:
    """A metastore of the application's own, with these keys."""
    return cfg(f"[core]\nfernet_key = {','.join(keys)}\n")


KEYS = ("bWFkZS11cC1mZXJuZXQta2V5LXdvcnRoLW5vdGhpbmc=", "bWFkZS11cC1mZXJuZXQta2V5LW5vdC13b3J0aC1hIGQ=")
NEXT_KEY = f"fernet_key = {KEYS[1]}"

STORES = [
    Report(
        "apache/airflow#68301",
        "a store that fails is a name that is not defined",
        CORP,
        run="connections get warehouse",
        says=("error: ", "connection 'warehouse'", "ConnectionError at corp.py:6"),
    ),
    Report(
        "apache/airflow#14592",
        "a store that does not answer is a crash",
        CORP | {"billing.cfg": "[secrets]\nbackend = corp.Corp\non_failure = next\n"},
        environ={"BILLING_VAR_VAT": "19"},
        run="variables get vat",
        says=("19", "warning: ", "corp"),
    ),
    Report(
        "apache/airflow#55015",
        "a malformed secret does not exist",
        local(connections='{"warehouse": {"vals": "x"}}'),
        run="connections get warehouse",
        says=("error: ", "warehouse", "vals"),
    ),
    Report(
        "apache/airflow#57864",
        "a name with a slash is not found",
        local(connections='{"dev-env/project": "http://api.example"}'),
        run="connections get dev-env/project",
        says=("api.example",),
    ),
    Report(
        "apache/airflow#14569",
        "a slash in the password: invalid literal for int()",
        environ={"BILLING_CONN_LOGS": "s3://made-up-key:made-up/123@bucket"},
        run="connections get logs",
        says=("error: ", "BILLING_CONN_LOGS", "%2F"),
        hides="made-up/123",
    ),
    Report(
        "apache/airflow#11930",
        "# and @ in the password: access denied",
        environ={"BILLING_CONN_DB": "mysql://me:made#up@db.example/x"},
        run="connections get db",
        says=("error: ", "BILLING_CONN_DB", "%23"),
        hides="made#up",
    ),
    Report(
        "apache/airflow#43150",
        "? in the password of the database ends it",
        environ={
            "BILLING__DATABASE__SQL_ALCHEMY_CONN": "postgresql://me:made?up@db.example/x",
            "BILLING__DATABASE__FAILOVER_TIMEOUT_SECONDS": "0",
        },
        run="db check",
        says=("me:***@db.example/x", "does not answer"),
        hides="made?up",
    ),
    Report(
        "ShlomiPorush/mailcow-logs-viewer#1",
        "@ in the password of the database: could not translate host name",
        environ={"BILLING__DATABASE__SQL_ALCHEMY_CONN": "postgresql://me:made@up@db.invalid/x"},
        run="db check",
        says=("error: ", "%40"),
        hides="up@db",
    ),
    Report(
        "apache/airflow#4523",
        "an underscore in a URI's type is not allowed",
        environ={"BILLING_CONN_GCP": "google_cloud_platform://?key_path=%2Fkey.json"},
        run="connections get gcp",
        says=("error: ", "BILLING_CONN_GCP", "google-cloud-platform://"),
    ),
    Report(
        "apache/airflow#20820",
        "another key: InvalidToken, and then: not defined",
        kept(KEYS[0]),
        run=f"variables set vat 19\nconfig set core fernet_key {KEYS[1]}\nvariables get vat",
        says=("error: ", "vat", "fernet_key"),
    ),
    Report(
        "apache/airflow#20267",
        "what no key opens cannot be deleted",
        kept(KEYS[0]),
        run=f"variables set vat 19\nconfig set core fernet_key {KEYS[1]}\nvariables delete vat\nvariables get vat",
        says=("error: variable 'vat' not found",),
    ),
    Report(
        "puckel/docker-airflow#290",
        "a key that is none: incorrect padding",
        kept("not-a-key"),
        run="variables set vat 19",
        says=("error: [core] fernet_key", "fernet generate"),
        hides="not-a-key",
    ),
    Report(
        "apache/airflow#701",
        "the default of a JSON variable is read as JSON",
        call=lambda world: world.app().get_variable("nobody-has-it", default="no JSON", deserialize_json=True),
        answer="no JSON",
    ),
    Report(
        "apache/airflow#64362",
        "empty and false values are imported as something else",
        kept(KEYS[0]) | {"in.json": '{"empty": {"value": ""}, "zero": {"value": 0}}'},
        run="variables import in.json\nvariables export -",
        says=('"empty": ""', '"zero": 0'),
    ),
    Report(
        "apache/airflow#71526",
        "a list is kept as Python's text of it",
        kept(KEYS[0]) | {"in.json": '{"regions": ["a", "b"]}'},
        run="variables import in.json\nvariables get regions --json",
        says=("a", "b"),
    ),
]

REPORTS = [
    *DOTENV,
    *ENCODINGS,
    *DOLLARS,
    *TYPES,
    *SURPRISES,
    *NAMES,
    *FILES,
    *LAYERS,
    *ENVIRONMENTS,
    *SECRETS,
    *MASKING,
    *STORES,
]


def read(world: World, option: str) -> tuple[Any, str]:
    """The option's value, or the error's text."""
    section, _, key = option.rpartition(".")
    try:
        return world.app().conf.value(section, key), ""
    except errors.FrameworkError as fault:
        return None, world.shown(fault)


def run(world: World, commands: str) -> str:
    """What the commands print."""
    shown = "".join("".join(world.run(*shlex.split(command))[1:]) for command in commands.splitlines())
    assert "Traceback" not in shown
    return shown


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("report", REPORTS, ids=lambda report: f"{report.of}: {report.about}")
def test_report(world: World, report: Report) -> None:
    report.lay_out(world)
    if report.call is not None:
        answer, shown = report.call(world), ""
    else:
        answer, shown = read(world, report.get) if report.get else (None, run(world, report.run))
    missing = [text for text in report.says if text not in shown]
    assert not missing, f"missing: {missing} in:\n{shown}"
    assert answer == report.answer, shown
    assert not report.hides or report.hides not in shown


def test_each_row_is_a_report_of_its_own() -> None:
    assert len({report.of for report in REPORTS}) == len(REPORTS)
