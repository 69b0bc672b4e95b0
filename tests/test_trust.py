"""No user is trusted by accident: files of another user, planted in the working directory, in every role.

The folder is like /tmp: it is root's, everybody may write into it, and it is sticky. Root works in it.
"""

from __future__ import annotations

import json
import os
import py_compile
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest
from conftest import World

from framework import App, current, errors, limits, project
from framework.files import modules, trust
from framework.files.atomic import AtomicReplace
from framework.files.text import read_bytes, read_text

HIS = 12345
ROOT = Path(__file__).parent.parent
WAY_OUT = "--project DIR, or set FRAMEWORK_PROJECT=DIR"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


class Shared(World):
    """A sticky folder of root's, and in it files of root and of another user."""

    world: World

    @property
    def mark(self) -> Path:
        """A file that is made by his command, if it runs."""
        return self.home.parent / f"{self.home.name}-ran"

    @property
    def command(self) -> str:
        return f"sh -c 'touch {self.mark}; echo his'"

    def his(self, name: str, text: str | bytes = "", mode: int = 0o644) -> Path:
        path = self.write(name, text.replace("EVIL", self.command) if isinstance(text, str) else text, mode)
        os.chown(path, HIS, HIS)
        return path

    def his_link(self, name: str, target: str | Path) -> Path:
        path = self.home / name
        path.symlink_to(target)
        os.lchown(path, HIS, HIS)
        return path

    def his_folder(self, name: str) -> Path:
        path = self.home / name
        path.mkdir()
        os.chown(path, HIS, HIS)
        return path

    def elsewhere(self, name: str, text: str) -> Path:
        """A file of root's outside the folder."""
        path = self.home.parent / f"{self.home.name}-{name}"
        path.mkdir(exist_ok=True)
        (path / name).write_text(text)
        return path / name

    def refused(self, *words: str, naming: str, owner: str = f"uid {HIS}", hint: str = WAY_OUT) -> str:
        """What a command says that must refuse, and run nothing of his."""
        _, out, err = self.run(*(words or ("config", "get-value", "db", "password")))
        assert not self.mark.exists(), "his command was run"
        assert "his" not in out.split()
        assert naming in err
        assert owner in err
        assert hint in err
        assert "Traceback" not in err
        return err


@pytest.fixture
def shared(world: World, monkeypatch: pytest.MonkeyPatch) -> Shared:
    world.home.chmod(0o1777)
    monkeypatch.setenv("HOME", "/root")
    sys.path.remove(str(world.home))  # as the command has it
    world.__class__ = Shared
    assert isinstance(world, Shared)
    return world


CFG = "[db]\npassword_cmd = EVIL\n"
TOML = '[db]\npassword_cmd = "EVIL"\n'
MODULE = "open({mark!r}, 'w')\n"


def home_cfg(s: Shared) -> None:
    s.his("billing.cfg", CFG)


def whole_project(s: Shared) -> None:
    s.his("pyproject.toml", '[tool.framework]\nname = "billing"\nhome = "."\n')
    s.his("billing.cfg", CFG)


def link_to_a_project_of_mine(s: Shared) -> None:
    target = s.elsewhere("pyproject.toml", '[tool.framework]\nname = "billing"\nhome = "."\n')
    (s.home / "pyproject.toml").unlink()
    s.his_link("pyproject.toml", target)
    s.his("billing.cfg", CFG)


def hard_link_to_a_project_of_mine(s: Shared) -> None:
    target = s.elsewhere("pyproject.toml", '[tool.framework]\nname = "billing"\nhome = "."\n')
    (s.home / "pyproject.toml").unlink()
    os.link(target, s.home / "pyproject.toml")


def cfg_as_a_link_to_mine(s: Shared) -> None:
    s.his_link("billing.cfg", s.elsewhere("other.cfg", CFG.replace("EVIL", s.command)))


def secrets_companion(s: Shared) -> None:
    s.project(settings_files=["settings.toml"])
    s.write("settings.toml", "[db]\nhost = 'x'\n")
    s.his(".secrets.toml", TOML)


def local_companion(s: Shared) -> None:
    s.project(settings_files=["settings.yaml"])
    s.write("settings.yaml", "db: {host: x}\n")
    s.his("settings.local.yaml", 'db: {password_cmd: "EVIL"}\n')


def companion_of_a_linked_file(s: Shared) -> None:
    s.project(settings_files=["conf/settings.json"])
    inner = s.his_folder("his")
    s.his("his/settings.json", '{"db": {"password_cmd": "EVIL"}}')
    s.his_link("conf", inner)


def relative_config_file(s: Shared) -> None:
    s.project(config_files=["production.toml"])
    s.his("production.toml", TOML)


def absolute_config_file(s: Shared) -> None:
    outside = s.elsewhere("production.toml", TOML.replace("EVIL", s.command))
    os.chown(outside, HIS, HIS)
    s.project(config_files=[str(outside)])


def config_file_through_dots(s: Shared) -> None:
    s.project(config_files=[f"../{s.home.name}/production.cfg"])
    s.his("production.cfg", CFG)


def config_named_in_the_project(s: Shared) -> None:
    s.project(config="other.cfg")
    s.his("other.cfg", CFG)


def absolute_home(s: Shared) -> None:
    outside = s.elsewhere("billing.cfg", CFG.replace("EVIL", s.command))
    os.chown(outside, HIS, HIS)
    s.project(home=str(outside.parent))


def mine_in_a_folder_of_his(s: Shared) -> None:
    s.project(home="conf")
    s.his_folder("conf")
    s.write("conf/billing.cfg", CFG.replace("EVIL", s.command))


def link_in_the_middle(s: Shared) -> None:
    s.project(home="conf/billing")
    s.elsewhere("billing.cfg", CFG.replace("EVIL", s.command))
    (s.home / "conf").mkdir()
    s.his_link("conf/billing", f"../../{s.home.name}-billing.cfg")


def dotenv(s: Shared) -> None:
    s.project(dotenv=[".env"])
    s.his(".env", 'BILLING__DB__PASSWORD_CMD="EVIL"\n')


def schema(s: Shared) -> None:
    s.project(schema="schema.toml")
    s.his("schema.toml", '[db.options.password]\nsensitive = true\ndefault = "his"\n')


def schema_class(s: Shared) -> None:
    s.project(schema="planted_package.settings:Settings")
    (s.home / "planted_package").mkdir()
    s.write("planted_package/__init__.py", "")
    s.his("planted_package/settings.py", MODULE.format(mark=str(s.mark)))


def secrets_file(s: Shared) -> None:
    s.write(
        "billing.cfg",
        "[secrets]\nbackend = local_filesystem\n"
        'backend_kwargs = {"configs_file_path": "secrets.json"}\n[db]\npassword_secret = db\n',
    )
    s.his("secrets.json", '{"db": "his"}')


def pointed_file(s: Shared) -> None:
    s.write("billing.cfg", "[db]\npassword_file = password.txt\n")
    s.his("password.txt", "his\n")


def program_beside_the_project(s: Shared) -> None:
    s.write("billing.cfg", "[db]\npassword_cmd = ./get-password -v\n")
    s.his("get-password", "#!/bin/sh\nEVIL\n", 0o755)


def program_through_a_link(s: Shared) -> None:
    s.write("billing.cfg", "[db]\npassword_cmd = bin/get-password\n")
    s.elsewhere("get-password", f"#!/bin/sh\n{s.command}\n").chmod(0o755)
    s.his_link("bin", f"../{s.home.name}-get-password")


def mounted_files(s: Shared) -> None:
    s.write(
        "billing.cfg",
        '[secrets]\nbackend = mounted_files\nbackend_kwargs = {"path": "mounted"}\n[db]\npassword_secret = db\n',
    )
    (s.home / "mounted" / "config").mkdir(parents=True)
    s.his("mounted/config/db", "his")


def mounted_folder(s: Shared) -> None:
    mounted_files(s)
    os.chown(s.home / "mounted" / "config" / "db", 0, 0)
    os.chown(s.home / "mounted", HIS, HIS)


def key_file(s: Shared) -> None:
    s.write(
        "billing.cfg",
        '[secrets]\nbackend = vault\nbackend_kwargs = {"token_path": "vault.token", "url": "http://127.0.0.1:1"}\n'
        "[db]\npassword_secret = db\n",
    )
    s.his("vault.token", "his")


def certificate(s: Shared) -> None:
    s.write(
        "billing.cfg",
        "[secrets]\nbackend = vault\n"
        'backend_kwargs = {"token": "t", "verify": "ca.pem", "url": "https://127.0.0.1:1"}\n'
        "[db]\npassword_secret = db\n",
    )
    s.his("ca.pem", "his")


def certificate_of_aws(s: Shared) -> None:
    s.write(
        "billing.cfg",
        '[secrets]\nbackend = aws_ssm\nbackend_kwargs = {"region_name": "x", "verify": "ca.pem"}\n'
        "[db]\npassword_secret = db\n",
    )
    s.his("ca.pem", "his")


def backend_module(s: Shared) -> None:
    s.write("billing.cfg", "[secrets]\nbackend = planted.Store\n[db]\npassword_secret = db\n")
    s.his("planted.py", MODULE.format(mark=str(s.mark)))


def backend_package(s: Shared) -> None:
    s.write("billing.cfg", "[secrets]\nbackend = planted_package.inner.Store\n[db]\npassword_secret = db\n")
    (s.home / "planted_package").mkdir()
    s.write("planted_package/__init__.py", "")
    s.his("planted_package/inner.py", MODULE.format(mark=str(s.mark)))


def settings_module(s: Shared) -> None:
    s.project(dynaconf="planted_settings:settings")
    s.his("planted_settings.py", MODULE.format(mark=str(s.mark)))


ATTACKS: dict[Callable[[Shared], None], str] = {
    home_cfg: "billing.cfg",
    whole_project: "pyproject.toml",
    link_to_a_project_of_mine: "the link pyproject.toml",
    cfg_as_a_link_to_mine: "the link billing.cfg",
    secrets_companion: ".secrets.toml",
    local_companion: "settings.local.yaml",
    companion_of_a_linked_file: "the link conf",
    relative_config_file: "production.toml",
    absolute_config_file: "production.toml",
    config_file_through_dots: "production.cfg",
    config_named_in_the_project: "other.cfg",
    absolute_home: "billing.cfg",
    mine_in_a_folder_of_his: "the folder conf",
    link_in_the_middle: "the link conf/billing",
    dotenv: ".env",
    schema: "schema.toml",
    schema_class: "planted_package/settings.py",
    secrets_file: "secrets.json",
    pointed_file: "password.txt",
    program_beside_the_project: "get-password",
    program_through_a_link: "the link bin",
    mounted_files: "mounted/config/",
    mounted_folder: "mounted_files: mounted",
    key_file: "token_path",
    certificate: "verify",
    certificate_of_aws: "verify",
    backend_module: "planted.py",
    backend_package: "planted_package/inner.py",
    settings_module: "planted_settings.py",
}


@pytest.mark.parametrize(("attack", "naming"), ATTACKS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_file_is_refused_by_its_name_and_owner(
    shared: Shared, attack: Callable[[Shared], None], naming: str
) -> None:
    attack(shared)
    shared.refused(naming=naming)
    shared.run("dump")
    shared.run("check")
    assert not shared.mark.exists()
    with pytest.raises(errors.FrameworkError, match=f"uid {HIS}"):
        current.app().conf.get("db", "password")
    assert not shared.mark.exists()


def test_a_hard_link_to_a_project_of_the_user_is_refused(shared: Shared) -> None:
    hard_link_to_a_project_of_mine(shared)
    shared.refused(naming="is a hard link in a folder that everybody can write", owner="owner root")


@pytest.mark.parametrize("mode", [0o666, 0o646, 0o664])
def test_a_file_that_others_can_write_is_refused(shared: Shared, mode: int) -> None:
    path = shared.write("billing.cfg", CFG, mode)
    os.chown(path, 0, HIS)
    shared.refused(naming=f"others can write it (mode {mode:o}", owner="owner root, uid 0")


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o775])
def test_a_folder_that_others_can_write_is_refused(shared: Shared, mode: int) -> None:
    os.chown(shared.home, 0, HIS)
    shared.home.chmod(mode)
    shared.refused(naming="others can write the folder HOME", owner="owner root")


def test_files_of_the_user_are_used_in_a_sticky_folder(shared: Shared) -> None:
    secrets_companion(shared)
    (shared.home / ".secrets.toml").unlink()
    shared.write(".secrets.toml", '[db]\npassword_cmd = "echo mine"\n')
    shared.write("conf/other.cfg", "[db]\nname = inner\n")
    (shared.home / "link.cfg").symlink_to("conf/other.cfg")
    shared.project(settings_files=["settings.toml"], config_files=["link.cfg"])
    assert shared.run("config", "get-value", "db", "password")[:2] == (0, "mine\n")
    assert shared.run("config", "get-value", "db", "name")[:2] == (0, "inner\n")


def test_a_user_private_group_is_not_counted_as_others(shared: Shared) -> None:
    shared.write("billing.cfg", "[db]\npassword_cmd = echo mine\n", 0o664)
    assert shared.run("config", "get-value", "db", "password")[:2] == (0, "mine\n")


def test_a_file_without_our_table_is_ignored(shared: Shared) -> None:
    shared.his("pyproject.toml", "[tool.other]\n")
    assert project.here() is None
    shared.his("pyproject.toml", "[tool.framework\n")
    shared.refused(naming="pyproject.toml")


# The ways out


@pytest.mark.parametrize("attack", [whole_project, secrets_companion, dotenv, relative_config_file, backend_package])
def test_a_project_that_is_named_is_trusted_wholly(
    shared: Shared, attack: Callable[[Shared], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    attack(shared)
    shared.run("--project", ".", "config", "get-value", "db", "password")
    assert shared.mark.exists()
    shared.mark.unlink()
    for name in [name for name in sys.modules if name.startswith("planted_package")]:
        del sys.modules[name]
    monkeypatch.setenv("FRAMEWORK_PROJECT", str(shared.home))
    monkeypatch.chdir("/")
    shared.run("config", "get-value", "db", "password")
    assert shared.mark.exists()


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_named_project_names_only_programs_inside_it(shared: Shared, where: str) -> None:
    program_beside_the_project(shared)
    if where == "here":
        shared.run("--project", ".", "config", "get-value", "db", "password")
        assert shared.mark.exists()
    else:
        project = shared.home / "project"
        project.mkdir()
        for name in ("pyproject.toml", "billing.cfg"):
            (shared.home / name).rename(project / name)
        hint = "or, if you trust it, write its absolute path"
        shared.refused(
            "--project", "project", "config", "get-value", "db", "password", naming="get-password", hint=hint
        )


def test_a_program_of_the_users_own_is_run_in_the_working_directory(shared: Shared) -> None:
    shared.write("billing.cfg", "[db]\npassword_cmd = ./get-password\n")
    shared.write("get-password", "#!/bin/sh\necho mine\n", 0o755)
    assert shared.run("config", "get-value", "db", "password")[:2] == (0, "mine\n")
    (shared.home / "get-password").unlink()
    assert "cannot be started (No such file or directory)" in shared.run("config", "get-value", "db", "password")[2]


def test_a_project_that_code_does_not_name_is_checked(shared: Shared) -> None:
    whole_project(shared)
    with pytest.raises(errors.ConfigFileError, match=f"uid {HIS}"):
        App.from_project()
    assert App.from_project(str(shared.home)).conf.get("db", "password") == "his"
    (shared.home / "pyproject.toml").unlink()
    with pytest.raises(errors.ConfigFileError, match="there is no project file"):
        App.from_project()


def test_the_environment_names_a_project_for_code(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    whole_project(shared)
    monkeypatch.setenv("FRAMEWORK_PROJECT", str(shared.home))
    assert current.app().conf.get("db", "password") == "his"


def test_a_relative_path_in_the_environment_does_not_name_a_file(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_project(shared)
    monkeypatch.setenv("FRAMEWORK_PROJECT", ".")
    shared.refused(naming="pyproject.toml")


def test_a_project_that_the_environment_names_must_be_there(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWORK_PROJECT", "/nowhere")
    assert shared.run("dump")[2].startswith("error: /nowhere/pyproject.toml: there is no project file")


# The environment


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("BILLING_HOME", ".", "set BILLING_HOME to its absolute path"),
        ("BILLING_CONFIG", "billing.cfg", "set BILLING_CONFIG to its absolute path"),
    ],
)
def test_a_relative_path_in_the_environment_is_checked(
    shared: Shared, name: str, value: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shared.home / "pyproject.toml").unlink()
    shared.his("billing.cfg", f"{CFG}host = plain\n")
    monkeypatch.setenv(name, value)
    shared.refused("--name", "billing", "config", "get-value", "db", "password", naming="billing.cfg", hint=hint)
    monkeypatch.setenv(name, str(shared.home / value))
    assert shared.run("--name", "billing", "config", "get-value", "db", "host")[:2] == (0, "plain\n")


def test_a_home_found_by_default_is_checked(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(shared.home))
    shared.his_folder("billing")
    shared.his("billing/billing.cfg", CFG)
    words = ("--name", "billing", "config", "get-value", "db", "password")
    shared.refused(*words, naming="the folder billing", hint="set BILLING_HOME to its absolute path")
    with pytest.raises(errors.ConfigFileError, match="BILLING_HOME"):
        App("billing")


@pytest.mark.parametrize("name", ["PASSWORD_FILE", "PASSWORD"])
def test_a_relative_path_among_the_variables_is_checked(shared: Shared, name: str) -> None:
    shared.his("planted.json", '{"db": "his"}')
    if name == "PASSWORD_FILE":
        shared.set(BILLING__DB__PASSWORD_FILE="planted.json")
    else:
        shared.set(BILLING__SECRETS__BACKEND="local_filesystem", BILLING__DB__PASSWORD_SECRET="db")
        shared.set(BILLING__SECRETS__BACKEND_KWARG__CONFIGS_FILE_PATH="planted.json")
    shared.refused(naming="planted.json")


# Commands


def test_a_command_is_not_run_from_a_named_file_of_another(shared: Shared) -> None:
    path = shared.his("elsewhere.cfg", f"{CFG}host = plain\n")
    assert shared.run("--config", str(path), "config", "get-value", "db", "host")[:2] == (0, "plain\n")
    err = shared.run("--config", str(path), "config", "get-value", "db", "password")[2]
    assert f"a command is not run from a file of another user (uid {HIS})" in err
    assert not shared.mark.exists()


def test_a_command_is_judged_by_the_file_that_was_opened(shared: Shared) -> None:
    path = shared.his("elsewhere.cfg", CFG)
    app = App("billing", config=str(path))
    os.chown(path, 0, 0)  # too late
    with pytest.raises(errors.PointerError, match="another user"):
        app.conf.get("db", "password")
    assert not shared.mark.exists()


# Between the look and the use


@pytest.mark.parametrize("exchanged", ["the file", "its folder"])
def test_what_is_exchanged_after_the_look_changes_nothing(
    shared: Shared, exchanged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.project(home="conf")
    cfg = shared.write("conf/billing.cfg", "[db]\npassword = mine\n")
    prepared = shared.his_folder("prepared")
    shared.his("prepared/billing.cfg", CFG)
    real = os.lstat

    def look(path: str, **more: int) -> os.stat_result:
        seen = real(path, **more)
        if path == "billing.cfg":
            monkeypatch.setattr(trust.os, "lstat", real)
            if exchanged == "the file":
                (prepared / "billing.cfg").rename(cfg)
            else:
                cfg.parent.rename(shared.home / "away")
                prepared.rename(cfg.parent)
        return seen

    monkeypatch.setattr(trust.os, "lstat", look)
    if exchanged == "the file":  # it is judged when it is open
        shared.refused(naming="billing.cfg")
    else:  # the folder is held open
        assert shared.run("config", "get-value", "db", "password")[:2] == (0, "mine\n")
        shared.refused(naming="the folder conf")


@pytest.mark.parametrize("into", ["link", "pipe"])
def test_what_is_exchanged_for_another_kind_is_refused(
    shared: Shared, into: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = shared.write("billing.cfg", "[db]\npassword = mine\n")
    real = os.lstat

    def look(path: str, **more: int) -> os.stat_result:
        seen = real(path, **more)
        if path == "billing.cfg":
            monkeypatch.setattr(trust.os, "lstat", real)
            cfg.unlink()
            if into == "link":
                shared.his_link("billing.cfg", shared.his("his.cfg", CFG))
            else:
                os.mkfifo(cfg)
                os.chown(cfg, HIS, HIS)
        return seen

    monkeypatch.setattr(trust.os, "lstat", look)
    shared.refused(naming="billing.cfg")


# The working directory


def test_a_working_directory_that_is_gone_has_no_project(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = shared.home / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert project.here() is None
    monkeypatch.setenv("BILLING_HOME", ".")
    status, out, err = shared.run("--name", "billing", "dump")
    assert (status, out) == (1, "")
    assert "the working directory was removed" in err


def test_a_link_that_led_here_is_not_part_of_the_path(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = shared.elsewhere("pyproject.toml", '[tool.framework]\nname = "billing"\nhome = "."\n').parent
    (mine / "billing.cfg").write_text("[db]\npassword_cmd = echo mine\n")
    link = shared.his_link("here", mine)
    monkeypatch.chdir(link)
    monkeypatch.setenv("PWD", str(link))
    assert shared.run("config", "get-value", "db", "password")[:2] == (0, "mine\n")


def test_links_without_an_end_are_an_error(shared: Shared) -> None:
    shared.project(config_files=["a.cfg"])
    (shared.home / "a.cfg").symlink_to("b.cfg")
    (shared.home / "b.cfg").symlink_to("a.cfg")
    assert "symbolic links" in shared.run("dump")[2]


# The metastore


def _database(path: Path) -> None:
    with sqlite3.connect(path) as opened:
        opened.execute("CREATE TABLE variable (id INTEGER, key TEXT, val TEXT, description TEXT, is_encrypted BOOLEAN)")
        opened.execute("INSERT INTO variable VALUES (1, 'region', 'his', '', 0)")
    opened.close()
    path.chmod(0o600)


@pytest.mark.parametrize("shape", ["file", "link", "journal", "shared folder"])
def test_a_planted_database_is_refused(shared: Shared, shape: str) -> None:
    shared.project(home="data")
    data = shared.home / "data"
    data.mkdir(0o700)
    path = data / "billing.db"
    _database(path)
    assert shared.run("variables", "get", "region")[:2] == (0, "his\n")
    naming = "billing.db"
    if shape == "file":
        os.chown(path, HIS, HIS)
    elif shape == "link":
        path.unlink()
        _database(moved := shared.elsewhere("moved.db", ""))
        shared.his_link("data/billing.db", moved)
    elif shape == "journal":
        shared.his("data/billing.db-journal", "x")
        naming = "billing.db-journal"
    else:
        data.chmod(0o1777)
    owner = "plant a journal" if shape == "shared folder" else f"uid {HIS}"
    shared.refused("variables", "get", "region", naming=naming, owner=owner)
    shared.set(BILLING__CORE__FERNET_KEY="bWFkZS11cC1mZXJuZXQta2V5LXdvcnRoLW5vdGhpbmc=")
    shared.refused("variables", "set", "region", "mine", naming=naming, owner=owner)


def test_a_database_that_starts_where_we_stand_is_checked(shared: Shared) -> None:
    shared.write("billing.cfg", "[database]\nsql_alchemy_conn = sqlite:///planted.db\n")
    _database(shared.home / "planted.db")
    os.chown(shared.home / "planted.db", HIS, HIS)
    shared.refused("variables", "get", "region", naming="planted.db", owner="plant a journal")


# Modules


def test_a_module_of_the_user_is_imported_from_the_projects_folder(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = "from framework import BaseSecretsBackend\nfrom mine_helper import value\n"
    store += "class Store(BaseSecretsBackend):\n    def get_config(self, key): return value\n"
    shared.write("mine_stores.py", store)
    shared.write("mine_helper.py", "value = 'mine'\n")
    shared.write("billing.cfg", "[secrets]\nbackend = mine_stores.Store\n[db]\npassword_secret = db\n")
    assert shared.run("config", "get-value", "db", "password")[:2] == (0, "mine\n")
    assert sys.path[-1] == str(shared.home)
    assert not (shared.home / "__pycache__").exists()
    monkeypatch.chdir("/")
    for name in ("mine_stores", "mine_helper"):
        del sys.modules[name]
    sys.path.remove(str(shared.home))
    assert shared.run("--project", str(shared.home), "config", "get-value", "db", "password")[:2] == (0, "mine\n")


def test_a_planted_compiled_module_is_not_run(shared: Shared) -> None:
    source = shared.write("mine_compiled.py", "raise SystemExit\n")
    shared.write("planted.py", MODULE.format(mark=str(shared.mark)))
    shared.his_folder("__pycache__")
    planted = shared.home / "__pycache__" / f"mine_compiled.{sys.implementation.cache_tag}.pyc"
    py_compile.compile(
        str(shared.home / "planted.py"), str(planted), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    os.chown(planted, HIS, HIS)
    shared.write("billing.cfg", "[secrets]\nbackend = mine_compiled.Store\n[db]\npassword_secret = db\n")
    assert "SystemExit" in shared.run("config", "get-value", "db", "password")[2] or source.exists()
    assert not shared.mark.exists()


def test_metadata_of_packages_next_to_the_project_is_checked(shared: Shared) -> None:
    shared.write("mine_boot.py", "from framework import App\ndef made(): return App('planted_name')\n")
    shared.his_folder("planted-1.0.dist-info")
    shared.his("planted-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    shared.his("planted-1.0.dist-info/entry_points.txt", "[framework.backends]\nplanted = planted:Store\n")
    shared.his_folder("planted_name")
    shared.his("planted_name/__init__.py")
    shared.his("planted_name/config_templates/config.yml", "db: {options: {host: {default: his}}}\n")
    assert project.here() is not None
    made = modules.import_module("mine_boot").made
    try:
        with pytest.raises(errors.ConfigFileError, match=f"uid {HIS}"):
            made()
    finally:
        del sys.modules["mine_boot"]
    shared.write("billing.cfg", "[secrets]\nbackend = planted\n")
    assert "there is no backend called 'planted'" in shared.run("variables", "get", "x")[2]


@pytest.mark.parametrize("how", ["--app", "FRAMEWORK_APP"])
def test_a_planted_application_is_refused(shared: Shared, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.his(
        "planted_boot.py", MODULE.format(mark=str(shared.mark)) + "from framework import App\napp = App('billing')\n"
    )
    words = ["--app", "planted_boot:app"] if how == "--app" else []
    if not words:
        monkeypatch.setenv("FRAMEWORK_APP", "planted_boot:app")
    shared.refused(*words, "dump", naming="planted_boot.py")
    monkeypatch.setenv("FRAMEWORK_PROJECT", str(shared.home))
    shared.run(*words, "config", "list")
    assert shared.mark.exists()


ENTRIES = {
    "module": [sys.executable, "-m", "framework"],
    "script": [
        sys.executable,
        "-c",
        "import sys; sys.path.pop(0); from framework.__main__ import main; sys.exit(main())",
    ],
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("path", ["", ":", ".", "HERE/nothing:"])
def test_the_working_folder_is_not_on_the_path(shared: Shared, entry: str, path: str) -> None:
    for name in ("tomli", "yaml", "typing", "dataclasses", "argparse", "json", "re", "rich", "dotenv", "shlex"):
        if entry == "module" and name in ("typing", "re", "json"):
            continue  # Python itself may import these for -m, before our first line
        shared.write(f"{name}.py", MODULE.format(mark=str(shared.mark)))
    shared.project(config_files=["x.yaml"], dotenv=[".env"])
    shared.write("x.yaml", "db: {password_cmd: echo mine}\n")
    shared.write(".env", "A=1\n")
    env = {**os.environ, "PYTHONPATH": f"{path.replace('HERE', str(shared.home))}:{ROOT}", "HOME": "/root"}
    command = [*ENTRIES[entry], "config", "get-value", "db", "password"]
    done = subprocess.run(command, cwd=shared.home, env=env, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("mine\n", 0), done.stderr
    assert not shared.mark.exists()


@pytest.mark.parametrize("entry", ENTRIES)
def test_both_entry_points_find_an_application_in_the_working_directory(shared: Shared, entry: str) -> None:
    shared.write(
        "boot.py",
        "from framework import App\napp = App('billing', schema={'a': {'options': {'b': {'default': 'c'}}}})\n",
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": "/root"}
    command = [*ENTRIES[entry], "--app", "boot:app", "config", "get-value", "a", "b"]
    done = subprocess.run(command, cwd=shared.home, env=env, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("c\n", 0), done.stderr


# Another caller


def test_a_user_trusts_only_their_own_files_and_those_of_root() -> None:
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o1777)
        path = Path(folder, "billing.cfg")
        path.write_text("mine")
        path.chmod(0o644)
        for owner, answer in ((0, "mine"), (HIS, "mine"), (HIS + 1, "refused")):
            os.chown(path, owner, owner)
            assert _as_him(path) == answer


def _as_him(path: Path) -> str:
    """What another user reads there."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.setgroups([])
        os.setgid(HIS)
        os.setuid(HIS)
        try:
            answer = read_text(trust.found(str(path)))
        except errors.ConfigFileError as refusal:
            answer = "refused" if f"uid {HIS + 1}" in str(refusal) else str(refusal)
        os.write(writer, answer.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader) as answer_of_the_child:
        return answer_of_the_child.read()


# What is not a file


def _replace(path: Path, kind: str) -> str:
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
        return "it is a named pipe, and only regular files are read"
    if kind == "device":
        path.symlink_to("/dev/zero")
        return "it is a device, and only regular files are read"
    with open(path, "wb") as file:
        file.truncate(limits.FILE_BYTES + 1)
    return f"it is larger than {limits.FILE_BYTES // 2**20} MiB"


@pytest.mark.parametrize("kind", ["pipe", "device", "endless"])
@pytest.mark.parametrize("named", [False, True], ids=["found", "named"])
@pytest.mark.parametrize(
    "name",
    ["pyproject.toml", "billing.cfg", "a.toml", "a.yaml", "settings.toml", ".secrets.toml", ".env", "schema.json"],
)
def test_only_regular_files_of_a_stated_size_are_read(shared: Shared, name: str, kind: str, named: bool) -> None:
    shared.project(
        **({"config_files": [name]} if name.startswith("a.") else {}),
        **({"settings_files": ["settings.toml"]} if "se" in name and "toml" in name else {}),
        **({"dotenv": [name]} if name == ".env" else {}),
        **({"schema": name} if name.startswith("schema") else {}),
    )
    shared.write("settings.toml", "")
    reason = _replace(shared.home / name, kind)
    status, out, err = shared.run(*(["--project", "."] if named else []), "dump")
    assert (status, out) == (1, "")
    assert f"{name}: the file cannot be read ({reason})" in err


@pytest.mark.parametrize("kind", ["pipe", "device", "endless"])
def test_only_regular_secrets_files_are_read(shared: Shared, kind: str) -> None:
    secrets_file(shared)
    reason = _replace(shared.home / "secrets.json", kind)
    status, out, err = shared.run("config", "get-value", "db", "password")
    assert (status, out) == (3, "") or (status, out) == (1, "")
    assert f"the secrets file cannot be read ({reason})" in err


def test_a_file_that_grows_while_it_is_read_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framework.files.text.FILE_BYTES", 100_000)
    path = tmp_path / "a.cfg"
    path.write_bytes(b"#" * 10)
    real = os.fstat

    def grow(number: int) -> os.stat_result:
        seen = real(number)
        with open(path, "ab") as file:
            file.write(b"#" * 200_000)
        return seen

    monkeypatch.setattr("framework.files.text.os.fstat", grow)
    with pytest.raises(OSError, match="larger"):
        read_bytes(str(path))


def test_nothing_is_read_from_the_null_device(shared: Shared) -> None:
    shared.set(BILLING_CONFIG="/dev/null")
    assert shared.run("--name", "billing", "config", "get-value", "core", "fernet_key")[0] == 0


# Pipes that are named


def test_a_pointer_to_a_pipe_is_read_until_it_ends(shared: Shared) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"from a pipe\n")
    os.close(writer)
    shared.set(BILLING__DB__PASSWORD_FILE=f"/dev/fd/{reader}")
    assert shared.run("config", "get-value", "db", "password")[:2] == (0, "from a pipe\n")
    os.close(reader)


@pytest.mark.parametrize("shape", ["no writer", "an open writer", "endless"])
def test_a_pointer_to_a_pipe_waits_and_reads_no_more_than_is_stated(shared: Shared, shape: str) -> None:
    shared.set(BILLING__CORE__COMMAND_TIMEOUT_SECONDS="0.2" if shape != "endless" else "30")
    path = shared.home / "pipe"
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR) if shape == "an open writer" else None
    shared.set(BILLING__DB__PASSWORD_FILE="/dev/zero" if shape == "endless" else str(path))
    status, _, err = shared.run("config", "get-value", "db", "password")
    assert status == 1
    assert ("larger than" if shape == "endless" else "no data arrived in time") in err
    if held is not None:
        os.close(held)


def test_a_file_on_the_command_line_may_be_a_pipe(shared: Shared) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"[db]\nhost = piped\n")
    os.close(writer)
    words = ("--config", f"/dev/fd/{reader}", "config", "get-value", "db", "host")
    assert shared.run(*words)[:2] == (0, "piped\n")
    os.close(reader)


def test_the_rule_names_the_owner(shared: Shared) -> None:
    path = shared.his("a.json", json.dumps({}))
    with pytest.raises(trust.Untrusted) as caught:
        trust.opened(trust.found(str(path)))
    assert (caught.value.what, caught.value.where) == (
        f"a file that was not named explicitly is not used when it belongs to another user (uid {HIS})",
        str(path),
    )
    os.close(trust.opened(str(path)))


# What is written


@pytest.fixture
def rows(shared: Shared) -> Shared:
    shared.home.chmod(0o700)
    shared.set(BILLING__CORE__FERNET_KEY="bWFkZS11cC1mZXJuZXQta2V5LXdvcnRoLW5vdGhpbmc=")
    shared.project(home="data")
    (shared.home / "data").mkdir(0o700)
    assert shared.run("variables", "set", "a", "in clear")[0] == 0
    shared.home.chmod(0o1777)
    return shared


@pytest.mark.parametrize("kind", ["pipe", "pipe of his", "his file", "his link", "his link in the middle", "folder"])
def test_an_export_replaces_only_a_regular_file_of_the_callers(rows: Shared, kind: str) -> None:
    victim = rows.elsewhere("victim", "untouched")
    target = "out.json"
    if kind.startswith("pipe"):
        os.mkfifo(rows.home / target)
        if kind == "pipe of his":
            os.chown(rows.home / target, HIS, HIS)
    elif kind == "his file":
        rows.his(target, "his")
    elif kind == "his link":
        rows.his_link(target, victim)
    elif kind == "his link in the middle":
        rows.his_link("folder", victim.parent)
        target = "folder/victim"
    else:
        (rows.home / target).mkdir()
    status, _, err = rows.run("variables", "export", target, "--file-format", "json")
    assert (status, "the file cannot be written" in err) == (1, True)
    assert victim.read_text() == "untouched"
    assert "in clear" not in "".join(p.read_text() for p in rows.home.iterdir() if p.is_file())
    assert not list(rows.home.glob(".*.new"))


def test_an_export_is_for_its_owners_eyes(rows: Shared) -> None:
    rows.write("out.json", "old", 0o644)
    assert rows.run("variables", "export", "out.json")[0] == 0
    status = (rows.home / "out.json").stat()
    assert (status.st_mode & 0o777, status.st_uid, status.st_nlink) == (0o600, 0, 1)
    assert json.loads((rows.home / "out.json").read_text()) == {"a": "in clear"}


def test_a_hard_link_cannot_be_used_to_read_an_export(rows: Shared) -> None:
    rows.write("out.json", "old", 0o644)
    os.link(rows.home / "out.json", rows.home / "kept.json")
    assert rows.run("variables", "export", "out.json")[0] == 0
    assert (rows.home / "kept.json").read_text() == "old"


HOLDS = """
import os, sys
from framework.files.atomic import AtomicReplace
with AtomicReplace(sys.argv[1]) as number:
    os.write(number, b"in clear")
    print("ready", flush=True)
    sys.stdin.read()
    os.write(number, b", whole")
"""


def _holder(path: Path, code: str = HOLDS) -> subprocess.Popen[str]:
    """A process that is writing a file beside `path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    process = _holder(path)
    process.kill()
    process.communicate()
    assert [p.read_text() for p in tmp_path.glob(".out.json.*.new")] == ["in clear"]
    with AtomicReplace(str(path)):
        assert len(list(tmp_path.glob(".out.json.*.new"))) == 1
    assert not list(tmp_path.iterdir())


def test_what_another_process_is_writing_is_not_a_leftover(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    code = HOLDS.replace('    os.write(number, b", whole")', "    os.write(number, b', whole'); beside.take_place()")
    process = _holder(
        path, code.replace("with AtomicReplace(sys.argv[1])", "beside = AtomicReplace(sys.argv[1])\nwith beside")
    )
    with AtomicReplace(str(path)) as number:
        os.write(number, b"of the other")
    assert process.communicate("")[1] is None
    assert process.returncode == 0
    assert path.read_text() == "in clear, whole"


def test_what_was_planted_as_a_leftover_is_left_alone(rows: Shared) -> None:
    victim = rows.elsewhere("victim", "untouched")
    rows.his_link(".out.json.12.new", victim)
    os.mkfifo(rows.home / ".out.json.13.new")
    rows.his(".out.json.14.new", "his")
    assert rows.run("variables", "export", "out.json")[0] == 0
    assert victim.read_text() == "untouched"
    assert len(list(rows.home.glob(".out.json.*.new"))) == 3


def test_a_setting_is_not_written_through_a_planted_link(shared: Shared) -> None:
    victim = shared.elsewhere("victim.cfg", "[a]\nb = 1\n")
    link = shared.his_link("link.cfg", victim)
    status, _, err = shared.run("--config", str(link), "config", "set", "a", "b", "2", "--force")
    assert (status, f"uid {HIS}" in err) == (1, True)
    assert victim.read_text() == "[a]\nb = 1\n"


# What is imported


@pytest.mark.parametrize("named", [False, True])
def test_a_pipe_is_imported(rows: Shared, named: bool) -> None:
    reader, writer = os.pipe()
    path = f"/dev/fd/{reader}"
    if named:
        os.mkfifo(rows.home / "pipe")
        path = "pipe"
        writer_of_it = Thread(target=lambda: (rows.home / "pipe").write_text('{"b": "piped"}\n'))
        writer_of_it.start()  # it waits for the reader
    os.write(writer, b'{"b": "piped"}\n')
    os.close(writer)
    status, _, err = rows.run("variables", "import", path, "--file-format", "json")
    os.close(reader)
    assert (status, rows.run("variables", "get", "b")[:2]) == (0, (0, "piped\n")), err


def test_a_pipe_that_gives_nothing_is_not_waited_for_without_end(rows: Shared) -> None:
    rows.set(BILLING__CORE__COMMAND_TIMEOUT_SECONDS="0.2")
    os.mkfifo(rows.home / "pipe")
    status, _, err = rows.run("variables", "import", "pipe", "--file-format", "json")
    assert (status, err) == (
        1,
        "error: pipe: the file cannot be read (no data arrived in time). Nothing was changed.\n",
    )


@pytest.mark.parametrize("file_format", ["json", "yaml", "env"])
def test_an_endless_file_is_not_imported(rows: Shared, file_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framework.files.text.IMPORT_BYTES", 500_000)
    monkeypatch.setattr("framework.files.stream.FILE_BYTES", 200_000)
    path = rows.write("rows", b'{"a": "' + b"x" * 1_000_000)
    if file_format != "json":
        path.write_bytes(b"a: " + b"x" * 1_000_000)
    status, _, err = rows.run("variables", "import", "rows", "--file-format", file_format)
    assert status == 1
    assert "larger than" in err


def test_a_device_is_not_imported_without_end(rows: Shared) -> None:
    for file_format in ("json", "yaml", "env"):
        assert rows.run("variables", "import", "/dev/zero", "--file-format", file_format)[0] == 1
