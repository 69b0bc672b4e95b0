"""`diff` and `snapshot`: two sides compared, and no value of a secret in any of it."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from conftest import World

CANARY = "canary-s3cret"
SCHEMA = """
[server.options.port]
type = "integer"
default = "8000"
[server.options.hosts]
type = "list"
[mail.options.password]
type = "string"
sensitive = true
[mail.options.pin]
type = "string"
sensitive = true
[extra.options.only]
type = "string"
[other.options.only]
type = "string"
"""


@pytest.fixture
def two(world: World) -> World:
    """Two environments that differ in every way, and are alike in one."""
    world.project(schema="schema.toml", config_files=["{env}.toml?"])
    world.write("schema.toml", SCHEMA)
    world.write(
        "production.toml",
        '[server]\nport = 1\nhosts = ["a", "b"]\n[mail]\npassword_secret = "mail/production"\npin = "1234-canary"\n'
        '[extra]\nonly = "x"\n',
    )
    world.write(
        "staging.toml",
        '[server]\nport = 2\nhosts = ["a", "b"]\n[mail]\npassword_secret = "mail/staging"\npin = "1234-canary"\n'
        '[other]\nonly = "x"\n',
    )
    return world


def test_two_environments(two: World) -> None:
    status, out, err = two.run("diff", "staging", "production")
    assert status == 1
    assert out.splitlines() == [
        "~ [server] port  staging.toml:2 | production.toml:2",
        "~ [mail] password  staging.toml:5 (secret) | production.toml:5 (secret)",
        "< [other] only  staging.toml:8",
        "> [extra] only  production.toml:8",
    ]
    assert err == "4 differences\n"


def test_the_same_is_listed_if_asked_for_and_means_0(two: World) -> None:
    status, out, err = two.run("diff", "staging", "staging")
    assert (status, out, err) == (0, "", "0 differences\n")
    status, out, _ = two.run("diff", "staging", "staging", "--all")
    assert status == 0
    assert "= [mail] pin  staging.toml:6 | staging.toml:6\n" in out


def test_values_are_shown_if_asked_for_and_never_those_of_secrets(two: World) -> None:
    two.set(BILLING__MAIL__PIN="")
    two.write("production.toml", '[server]\nport = 1\n[mail]\npin = "canary-other"\n')
    _, out, err = two.run("diff", "staging", "production", "--show-values", "--all")
    assert "~ [server] port  2 (staging.toml:2) | 1 (production.toml:2)\n" in out
    assert "canary" not in out + err


def test_pointers_are_followed_if_asked_for(two: World) -> None:
    two.set(BILLING_SECRET_MAIL_PRODUCTION=CANARY, BILLING_SECRET_MAIL_STAGING=CANARY)
    _, out, _ = two.run("diff", "staging", "production", "--resolve")
    assert "[mail] password" not in out
    two.set(BILLING_SECRET_MAIL_STAGING="canary-other")
    _, out, err = two.run("diff", "staging", "production", "--resolve")
    assert "~ [mail] password  staging.toml:5 (secret) | production.toml:5 (secret)\n" in out
    assert "canary" not in out + err


def test_what_fails_is_not_known_and_never_the_same(two: World) -> None:
    two.write("staging.toml", two.home.joinpath("production.toml").read_text())
    status, out, err = two.run("diff", "staging", "production", "--resolve")
    assert status == 2
    assert out.startswith("? [mail] password")
    assert "not found" in err
    two.write("production.toml", "[server]\nport = 'x'\n")
    two.write("staging.toml", "[server]\nport = 'x'\n")
    assert two.run("diff", "staging", "production")[0] == 2


@pytest.mark.parametrize(
    ("left", "right", "state"),
    [
        ("v = 1", "v = 1", "="),
        ("v = 1", 'v = "1"', "~"),
        ("v = true", "v = 1", "~"),
        ("v = [1, 2]", "v = [2, 1]", "~"),
        ("v = {a = 1, b = 2}", "v = {b = 2, a = 1}", "="),
        ('v_secret = "x"', 'v = "x"', "~"),
        ('v_secret = "x"', 'v_file = "x"', "~"),
        ('v_cmd = "echo a"', 'v_cmd = "echo a"', "="),
        ('v_cmd = "echo a"', 'v_cmd = "echo b"', "~"),
        ("v = 1.0", "v = 1", "~"),
        ("v = [1]", "v = [true]", "~"),
        ("v = {a = [1]}", "v = {a = [1.0]}", "~"),
    ],
)
def test_typed_values_are_compared(world: World, left: str, right: str, state: str) -> None:
    world.project(config_files=["{env}.toml"], sensitive=["s.v"] if "_" in left + right else [])
    world.write("a.toml", f"[s]\n{left}\n")
    world.write("b.toml", f"[s]\n{right}\n")
    assert world.run("diff", "a", "b", "--all")[1].startswith(f"{state} [s] v")


# Snapshots


def test_a_snapshot_holds_no_value(two: World) -> None:
    status, out, err = two.run("--env", "production", "snapshot", "-o", "now.json")
    text = two.home.joinpath("now.json").read_text()
    assert (status, out, err) == (0, "", "now.json: 5 options\n")
    assert "canary" not in text
    assert str(two.home) not in text
    saved = json.loads(text)["options"]
    assert saved["mail"]["password"] == {
        "origin": "production.toml:5",
        "form": "secret",
        "sensitive": True,
        "reference": "mail/production",
    }
    assert "digest" not in saved["mail"]["pin"]
    assert (os.stat(two.home / "now.json").st_mode & 0o777) == 0o600


def test_a_short_secret_cannot_be_found_by_trying(two: World) -> None:
    two.write("production.toml", '[mail]\npin = "0427"\n')
    _, out, _ = two.run("--env", "production", "snapshot")
    entry = json.loads(out)["options"]["mail"]["pin"]
    assert set(entry) == {"origin", "form", "sensitive"}


def test_a_snapshot_is_compared_with_what_is_there_later(two: World) -> None:
    two.run("--env", "production", "snapshot", "-o", "now.json")
    status, out, err = two.run("diff", "now.json", "production")
    assert status == 1
    assert out == "? [mail] pin  production.toml:6 | production.toml:6\n"
    assert "--key-file" in err
    two.write("production.toml", "[server]\nport = 3\n")
    _, out, _ = two.run("diff", "now.json", "production")
    assert "~ [server] port" in out
    assert "< [mail] password" in out


def test_with_a_key_secrets_are_compared_too(two: World) -> None:
    two.write("key", bytes(range(32)))
    two.run("--env", "production", "snapshot", "--key-file", "key", "-o", "now.json")
    text = two.home.joinpath("now.json").read_text()
    assert "canary" not in text
    assert json.loads(text)["options"]["mail"]["pin"]["keyed"] is True
    assert two.run("diff", "now.json", "production", "--key-file", "key")[0] == 0
    changed = two.home.joinpath("production.toml").read_text().replace("1234-canary", "1235-canary")
    two.write("production.toml", changed)
    status, out, _ = two.run("diff", "now.json", "production", "--key-file", "key")
    assert (status, out) == (1, "~ [mail] pin  production.toml:6 | production.toml:6\n")


def test_the_key_may_be_a_config_secret(two: World) -> None:
    two.set(BILLING_SECRET_SNAPSHOT_KEY=bytes(range(32)).hex())
    two.run("--env", "production", "snapshot", "--key-secret", "snapshot-key", "-o", "now.json")
    two.write("key", bytes(range(32)))
    assert two.run("diff", "now.json", "production", "--key-file", "key")[0] == 0
    assert two.run("diff", "now.json", "production", "--key-secret", "snapshot-key")[0] == 0


def test_a_wrong_key_is_noticed_and_so_is_a_short_one(two: World) -> None:
    two.write("key", bytes(range(32)))
    two.write("other", bytes(range(1, 33)))
    two.write("short", b"x")
    two.run("--env", "production", "snapshot", "--key-file", "key", "-o", "now.json")
    for name, what in (("other", "another key"), ("short", "32 bytes"), ("gone", "gone")):
        status, _, err = two.run("diff", "now.json", "production", "--key-file", name)
        assert status == 2
        assert what in err


def test_a_followed_snapshot_is_compared_with_what_is_followed(two: World) -> None:
    two.set(BILLING_SECRET_MAIL_PRODUCTION=CANARY)
    two.write("key", bytes(range(32)))
    two.run("--env", "production", "snapshot", "--resolve", "--key-file", "key", "-o", "now.json")
    assert "canary" not in two.home.joinpath("now.json").read_text()
    assert two.run("diff", "now.json", "production", "--resolve", "--key-file", "key")[0] == 0
    assert two.run("diff", "now.json", "production", "--key-file", "key")[1].startswith("? [mail] password")


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"format": "framework-snapshot-1"}', '{"format": "framework-snapshot-1", "options": {"a": 1}}'],
)
def test_what_is_not_a_snapshot_is_refused(two: World, text: str) -> None:
    two.write("now.json", text)
    status, _, err = two.run("diff", "now.json", "production")
    assert status == 2
    assert "now.json" in err or "billing" in err
    assert "Traceback" not in err


def test_snapshots_of_two_applications_are_not_compared(two: World) -> None:
    two.run("--env", "production", "snapshot", "-o", "now.json")
    status, _, err = two.run("--name", "shop", "diff", "now.json", "production")
    assert status == 2
    assert "'billing'" in err and "'shop'" in err


# Folders and revisions


@pytest.fixture
def repository(two: World) -> World:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "first")):
        subprocess.run(["git", *words], cwd=two.home, check=True, env=_identity(two))
    return two


def _identity(world: World) -> dict[str, str]:
    names = itertools.product(("AUTHOR", "COMMITTER"), ("NAME", "EMAIL"))
    return {**os.environ, "HOME": str(world.home), **{f"GIT_{who}_{what}": "a@example.org" for who, what in names}}


def test_a_revision_is_compared_with_the_working_tree(repository: World) -> None:
    repository.write("staging.toml", '[server]\nport = 9\n[mail]\npin = "1234-canary"\n')
    status, out, err = repository.run("--env", "staging", "diff", "git:HEAD", "project:.", "--show-values")
    assert status == 1
    assert "~ [server] port  2 (git:HEAD:staging.toml:2) | 9 (staging.toml:2)\n" in out
    assert "< [other] only  x (git:HEAD:staging.toml:8)\n" in out
    assert "canary" not in out + err


def test_nothing_of_a_revision_stays_behind_and_nothing_in_it_runs(
    repository: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write(".gitattributes", "*.toml filter=evil diff=evil\n")
    subprocess.run(["git", "config", "filter.evil.smudge", "touch smudged"], cwd=repository.home, check=True)
    subprocess.run(["git", "config", "diff.evil.textconv", "touch converted"], cwd=repository.home, check=True)
    repository.write("staging.toml", '[s]\nv_cmd = "touch ran"\n')
    repository.project(schema="schema.toml", config_files=["{env}.toml?"], sensitive=["s.v"])
    subprocess.run(["git", "commit", "-qam", "second"], cwd=repository.home, check=True, env=_identity(repository))
    made: list[str] = []
    make = tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **given: made.append(make(**given)) or made[-1])
    assert repository.run("--env", "staging", "diff", "git:HEAD~1", "git:HEAD")[0] == 1
    for name in ("smudged", "converted", "ran"):
        assert not (repository.home / name).exists()
    assert len(made) == 2
    assert not any(map(os.path.exists, made))


@pytest.mark.parametrize("form", ["cmd", "file"])
@pytest.mark.parametrize(
    "where",
    ["s.v", "core.fernet_key", "secrets.backend_kwargs", "secrets.corp.backend_kwargs", "database.sql_alchemy_conn"],
)
def test_no_pointer_of_a_revision_runs_a_command_or_reads_a_file(repository: World, where: str, form: str) -> None:
    section, _, key = where.rpartition(".")
    home, text = repository.home, {"cmd": "touch {}/ran", "file": "{}/secret"}[form]
    repository.write("secret", CANARY)
    backend = {"secrets": 'backend = "vault"\n', "secrets.corp": 'backend = "vault"\n[secrets]\nbackends = "corp"\n'}
    repository.write(
        "staging.toml",
        f'[other]\nw_secret = "x"\n[{section}]\n{key}_{form} = "{text.format(home)}"\n{backend.get(section, "")}',
    )
    repository.project(schema="schema.toml", config_files=["{env}.toml?"], sensitive=["s.*", "other.*"])
    subprocess.run(["git", "commit", "-qam", "second"], cwd=home, check=True, env=_identity(repository))
    for side, expected in (("git:HEAD", 2), ("git:HEAD~1", 1)):  # in the one before, the option is not set
        status, out, err = repository.run("--env", "staging", "diff", "--resolve", "git:HEAD", side)
        assert status == expected
        assert expected == 1 or "another revision" in err
        assert "canary" not in out + err and "framework-" not in out + err
    assert not (home / "ran").exists()


def test_an_error_in_a_revision_names_the_revision(repository: World) -> None:
    repository.write("staging.toml", "[s]\n[s]\n")
    subprocess.run(["git", "commit", "-qam", "second"], cwd=repository.home, check=True, env=_identity(repository))
    status, out, err = repository.run("--env", "staging", "diff", "git:HEAD", "production")
    assert (status, out) == (2, "")
    assert err.startswith("error: git:HEAD:staging.toml:2: ")


def test_a_forged_tree_writes_nothing_outside(repository: World) -> None:
    home = repository.home

    def git(*words: str, given: bytes = b"") -> str:
        done = subprocess.run(["git", *words], cwd=home, check=True, capture_output=True, input=given)
        return done.stdout.decode().strip()

    blob = bytes.fromhex(git("hash-object", "-w", "--stdin", given=b"x = 1\n"))
    make = ("hash-object", "-w", "-t", "tree", "--literally", "--stdin")
    inner = bytes.fromhex(git(*make, given=b"100644 planted.toml\0" + blob))
    tree = git(*make, given=b"40000 ..\0" + inner + b"100644 pyproject.toml\0" + blob)
    place = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir(), "planted.toml")
    words = ["git", "commit-tree", tree, "-m", "x"]
    commit = subprocess.run(words, cwd=home, check=True, capture_output=True, env=_identity(repository)).stdout
    repository.run("diff", f"git:{commit.decode().strip()}", "production")
    assert not place.exists()


def test_a_dotenv_of_today_is_not_part_of_a_revision(repository: World) -> None:
    repository.write(".env", "BILLING__SERVER__PORT=77\n")
    repository.project(schema="schema.toml", config_files=["{env}.toml?"], dotenv=[".env?"])
    subprocess.run(["git", "commit", "-qam", "second"], cwd=repository.home, check=True, env=_identity(repository))
    _, out, _ = repository.run("--env", "staging", "diff", "git:HEAD", "project:.", "--show-values")
    assert "~ [server] port  2 (git:HEAD:staging.toml:2) | 77 (.env:1)\n" in out


@pytest.mark.parametrize(
    ("side", "what"),
    [
        ("git:nope", "there is no revision 'nope'"),
        ("git:--upload-pack=touch x", "there is no revision"),
        ("project:gone", "there is no project file"),
        ("stagin", "Did you mean staging?"),
        ("no such/file", "neither a file nor the name of an environment"),
    ],
)
def test_a_side_that_cannot_be_read_is_named(repository: World, side: str, what: str) -> None:
    status, out, err = repository.run("diff", side, "production")
    assert status == 2
    assert what in err
    assert out == ""


@pytest.mark.external
def test_outside_of_a_repository(two: World) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    two.set(GIT_CEILING_DIRECTORIES=str(two.home.parent))
    assert "not inside a git repository" in two.run("diff", "git:HEAD", "production")[2]


@pytest.mark.parametrize("output", ["json", "yaml", "plain"])
def test_for_programs(two: World, output: str) -> None:
    _, out, _ = two.run("diff", "staging", "production", "-o", output)
    assert "canary" not in out
    if output == "json":
        rows: list[dict[str, Any]] = json.loads(out)
        assert rows[0] == {
            "state": "~",
            "section": "server",
            "key": "port",
            "left": "staging.toml:2",
            "right": "production.toml:2",
            "why": "",
        }
