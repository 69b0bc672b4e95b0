"""In which environment an application runs, and which files it reads there: `{env}`, `?` and `*`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import World

from framework import App
from framework.errors import ConfigError
from framework.layers.environment import is_name

LAYERS = ["base.toml", "{env}.toml?"]


def toml(world: World, **ports: str) -> None:
    """`base=…, production=…`: files with that port."""
    for name, port in ports.items():
        world.write(f"{name}.toml", f"[server]\nport = '{port}'\n")


def port(world: World, *words: str) -> str:
    status, out, err = world.run(*words, "config", "get-value", "server", "port")
    assert status == 0, err
    return out.strip()


# Which environment


def test_the_sources_of_the_environment_name_in_order(world: World) -> None:
    world.project(config_files=["{env}.toml"], dotenv=[".env?"])
    toml(world, development="d", staging="s", production="p", test="t")
    assert port(world) == "d"
    world.write(".env", "BILLING_ENV=test\n")
    assert port(world) == "t"
    world.set(BILLING_ENV="staging")
    assert port(world) == "s"
    assert port(world, "--env", "production") == "p"
    assert port(world, "--env", "") == "s"
    world.set(BILLING_ENV="")
    assert port(world) == "t"
    world.write(".env", "BILLING_ENV=\n")
    assert port(world) == "d"
    app = App("billing", home=str(world.home), env="production", config_files=[f"{world.home}/{{env}}.toml"])
    assert app.conf.get("server", "port") == "p"


def test_the_last_of_several_env_files_wins(world: World) -> None:
    world.project(config_files=["{env}.toml"], dotenv=["a.env", "b.env", "c.env"])
    toml(world, staging="s", production="p")
    world.write("a.env", "BILLING_ENV=production\n")
    world.write("b.env", "BILLING_ENV=staging\n")
    world.write("c.env", "")
    assert port(world) == "s"


def test_what_is_given_is_what_texts_and_commands_see(world: World) -> None:
    world.write("billing.cfg", "[a]\ndata = /data/$BILLING_ENV\nx_password_cmd = printenv BILLING_ENV\n", 0o600)
    world.set(BILLING_ENV="production")
    assert world.app().conf.get("a", "data") == "/data/production"
    app = App("billing", home=str(world.home), env="staging")
    assert app.conf.get("a", "data") == "/data/staging"
    assert app.conf.get("a", "x_password") == "staging"


def test_a_required_option_goes_by_the_same_name(world: World) -> None:
    world.write("schema.yaml", "a:\n  options:\n    b: {required: [production]}\n")
    world.project(schema="schema.yaml", dotenv=[".env?"])
    assert world.run("check")[0] == 0
    assert "[a] b is required in production" in world.run("--env", "production", "check")[1]
    world.write(".env", "BILLING_ENV=production\n")
    assert "[a] b is required in production" in world.run("check")[1]


def test_a_schema_that_names_an_unknown_environment_is_reported(world: World) -> None:
    world.write("schema.yaml", "a:\n  options:\n    b: {required: [prodution, production]}\n")
    world.project(schema="schema.yaml", environments=["development", "production"])
    message = (
        "[a] b is required in 'prodution', which is not an environment: the environments are development, production"
    )
    assert world.run("check") == (1, f"error: schema.yaml:3: {message}\n", "1 error, 0 warnings\n")


def test_a_file_of_one_environment_cannot_choose_another(world: World) -> None:
    world.project(dotenv=[".env.{env}?"])
    world.write(".env.staging", "\nBILLING_ENV=production\n")
    assert world.run("--env", "staging", "dump") == (
        1,
        "",
        "error: .env.staging:2: this file is read because the environment is staging, but it sets the environment to "
        "'production'. Remove BILLING_ENV from it.\n",
    )
    world.write(".env.staging", "BILLING_ENV=staging\n")
    assert world.run("--env", "staging", "dump", "--changed")[0] == 0


@pytest.mark.parametrize("name", ["a", "9", "eu-west_1.b", "Production", "a.b"])
def test_a_name(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a..b", "../x", "a/b", "-a", "_a", ".a", "a b", "ä", "a*", "a\n", "²"])
def test_no_name(world: World, name: str) -> None:
    assert not is_name(name)
    if name:
        where = "^--env, or App\\(env=\\): .* cannot be the name of an environment"
        with pytest.raises(ConfigError, match=where):
            App("billing", home=str(world.home), env=name)
        world.set(BILLING_ENV=name)
        status, out, err = world.run("dump")
        assert (status, out) == (1, "")
        assert err.startswith("error: BILLING_ENV: ")


def test_a_name_that_is_not_in_the_list_is_an_error_before_a_file_is_read(world: World) -> None:
    world.project(environments=["staging", "production"], config_files=["broken.toml"], dotenv=["broken.env"])
    world.write("broken.toml", "[")
    world.write("broken.env", "= =")
    message = "there is no environment {!r}; the environments are staging, production (pyproject.toml:4). {}\n"
    hint = "Did you mean production?"
    assert world.run("--env", "prodution", "dump") == (
        1,
        "",
        f"error: --env, or App(env=): {message.format('prodution', hint)}",
    )
    for name in ("Production", "PROD", "prod", "x"):
        world.set(BILLING_ENV=name)
        expected = message.format(name, hint if name != "x" else "Use one of them.")
        assert world.run("dump") == (1, "", f"error: BILLING_ENV: {expected}")


def test_a_name_that_an_env_file_has_wrong(world: World) -> None:
    world.project(environments=["development", "production"], dotenv=[".env"], config_files=["broken.toml"])
    world.write(".env", "A=1\nBILLING_ENV=prodution\n")
    assert world.run("dump")[2].startswith("error: .env:2: there is no environment 'prodution'; ")


def test_the_default_counts_only_if_it_is_in_the_list(world: World) -> None:
    world.project(environments=["staging", "production"])
    assert world.run("dump") == (
        1,
        "",
        "error: BILLING_ENV: no environment is selected, and development is not one of them: the "
        "environments are staging, production (pyproject.toml:4). Pass --env NAME, or set BILLING_ENV.\n",
    )
    world.project(environments=["development"])
    assert world.run("check")[0] == 0


@pytest.mark.parametrize("listed", [[], [""], ["a/b"], ["ok", ".."]])
def test_an_invalid_list(world: World, listed: list[str]) -> None:
    world.project(environments=listed)
    assert world.run("dump")[2].startswith("error: pyproject.toml:4: environments must be a list of names")
    with pytest.raises(ConfigError, match="App\\('billing', environments=…\\)"):
        App("billing", home=str(world.home), environments=listed)


def test_a_name_without_files_is_doubtful_if_others_have_some(world: World) -> None:
    world.project(config_files=LAYERS)
    toml(world, base="b", production="p", staging="s")
    world.set(BILLING_ENV="prodution")
    message = (
        "BILLING_ENV: no file {env}.toml? exists for the environment 'prodution', only for production, staging. "
        "Did you mean production? If 'prodution' is right, list it in environments = […]."
    )
    assert world.run("check") == (1, f"error: {message}\n", "1 error, 0 warnings\n")
    assert world.run("config", "get-value", "server", "port") == (0, "b\n", f"warning: {message}\n")
    with pytest.warns(UserWarning, match="Did you mean production"):
        assert world.app().conf.get("server", "port") == "b"
    world.project(config_files=LAYERS, environments=["prodution"])
    assert world.run("check")[0] == 0


def test_an_unset_environment_is_reported_when_files_use_common_names(world: World) -> None:
    world.project(config_files=LAYERS)
    toml(world, base="b", ruff="r")
    assert world.run("check")[0] == 0
    toml(world, production="p")
    status, out, _ = world.run("check")
    assert status == 1
    assert "no environment is named, so it is 'development', and no file {env}.toml? exists for the environment" in out
    toml(world, development="d")
    assert world.run("check")[0] == 0


@pytest.mark.parametrize(
    ("key", "entry", "file"),
    [
        ("config_files", "conf/{env}/app.cfg?", "conf/production/app.cfg"),
        ("config_files", "conf/{env}/*.toml?", "conf/production/a.toml"),
        ("config_files", "x-{env}-{env}.cfg?", "x-production-production.cfg"),
        ("settings_files", "settings.{env}.toml?", "settings.production.toml"),
        ("dotenv", ".env.{env}?", ".env.production"),
    ],
)
def test_files_of_others_are_found_wherever_the_name_is(world: World, key: str, entry: str, file: str) -> None:
    world.project(**{key: [entry]})
    world.write(file, "")
    assert world.run("--env", "production", "check") == (0, "", "0 errors, 0 warnings\n")
    status, out, _ = world.run("--env", "prod", "check")
    assert (status, "Did you mean production?" in out) == (1, True)


def test_a_reload_decides_again(world: World) -> None:
    world.project(config_files=["{env}.toml?", "conf.d/*.toml?"], environments=["development", "production"])
    toml(world, development="d", production="p")
    app = world.app()
    assert app.conf.get("server", "port") == "d"
    world.set(BILLING_ENV="production")
    assert app.conf.get("server", "port") == "d"
    app.reload()
    assert app.conf.get("server", "port") == "p"
    world.write("conf.d/x.toml", "[server]\nport = 'x'\n")
    app.reload()
    assert app.conf.get("server", "port") == "x"
    world.set(BILLING_ENV="prodution")
    with pytest.raises(ConfigError):
        app.reload()
    assert (app.conf.get("server", "port"), app.environment.env) == ("x", "production")


# Files that may be missing


ENDINGS = {"config_files": ".toml", "settings_files": ".toml", "dotenv": ".env"}


@pytest.mark.parametrize("key", ENDINGS)
@pytest.mark.parametrize("absent", ["gone", "gone/deep", "file/deep"])
def test_only_what_is_absent_may_be_missing(world: World, key: str, absent: str) -> None:
    world.write("file", "")
    world.project(**{key: [f"{absent}{ENDINGS[key]}?"]})
    assert world.run("check") == (0, "", "0 errors, 0 warnings\n")
    world.project(**{key: [f"{absent}{ENDINGS[key]}"]})
    status, _, err = world.run("check")
    assert (status, err[: len("error: ")]) == (1, "error: ")


def test_the_error_for_a_missing_file_says_how_to_make_it_optional(world: World) -> None:
    world.project(config_files=["{env}.toml"])
    assert world.run("--env", "prod", "dump") == (
        1,
        "",
        "error: prod.toml: the file does not exist. The environment is 'prod'. Create it, correct the path, or write "
        "{env}.toml? if it may be missing.\n",
    )


@pytest.mark.parametrize("key", ENDINGS)
def test_an_existing_file_that_cannot_be_read_is_an_error(world: World, key: str) -> None:
    name = f"it{ENDINGS[key]}"
    world.project(**{key: [f"{name}?"]})
    (world.home / name).mkdir()
    status, out, err = world.run("check")
    assert (status, out) == (1, "")
    assert "directory" in err
    (world.home / name).rmdir()
    world.write(name, "= = [")
    assert world.run("check")[:2] == (1, "")
    (world.home / name).unlink()
    (world.home / name).symlink_to(name)  # a loop is no absence
    assert world.run("check")[:2] == (1, "")


def test_a_folder_that_may_not_be_entered_is_an_error(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("another user is needed")
    code = f"""
import os
os.makedirs({str(tmp_path)!r} + "/no"); os.chmod({str(tmp_path)!r} + "/no", 0o000)
from framework import App
from framework.errors import ConfigFileError
App("billing", home="/nonexistent")  # imports what it needs while this user may read it
os.seteuid(65534)
try:
    App("billing", home="/nonexistent", config_files=[{str(tmp_path)!r} + "/no/x.toml?"])
except ConfigFileError as error:
    print(error)
"""
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        folder.chmod(0o755 if folder != Path("/tmp") else 0o1777)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "this process may not read the file" in done.stdout, done.stderr


# Patterns


def test_a_pattern_is_sorted_by_bytes_and_finds_no_hidden_file(world: World) -> None:
    world.project(config_files=["conf.d/*.toml"])
    for name in ("é.toml", "b.toml", "B.toml", "a10.toml", "a9.toml", ".hidden.toml", "c.toml.bak", "d.cfg"):
        world.write(f"conf.d/{name}", f"[s]\nname = '{name}'\n")
    looks = [os.path.basename(look.path) for look in world.app().environment.looks if look.kind == "config file"]
    assert looks == ["é.toml", "b.toml", "a9.toml", "a10.toml", "B.toml"]
    assert world.app().conf.get("s", "name") == "é.toml"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*", ["a.toml", "ab.toml"]),
        ("a*.toml", ["a.toml", "ab.toml"]),
        ("a*b*", ["ab.toml"]),
        ("ab.toml*", ["ab.toml"]),
        ("*ab*toml", ["ab.toml"]),
        ("a[b].*", []),
        ("?.*", []),
        (".*.toml", [".h.toml"]),
        ("a.toml*a.toml", []),
    ],
)
def test_a_star_is_any_text_and_nothing_else_is_special(world: World, pattern: str, found: list[str]) -> None:
    for name in ("a.toml", "ab.toml", ".h.toml"):
        world.write(f"d/{name}", "")
    world.project(config_files=[f"d/{pattern}"])
    looks = [look for look in world.app().environment.looks if look.kind == "config file"]
    assert [os.path.basename(look.path) for look in reversed(looks) if look.found] == found


def test_no_match_is_fine_if_the_folder_exists(world: World) -> None:
    world.project(config_files=["conf.d/*.toml"])
    status, _, err = world.run("check")
    assert status == 1
    assert err == (
        "error: conf.d: the folder of conf.d/*.toml does not exist. Create it, or write conf.d/*.toml? if it may be "
        "missing.\n"
    )
    (world.home / "conf.d").mkdir()
    assert world.run("check")[0] == 0
    world.project(config_files=["gone.d/*.toml?"])
    assert world.run("check")[0] == 0


@pytest.mark.parametrize("key", ENDINGS)
def test_every_list_takes_patterns(world: World, key: str) -> None:
    texts = {"config_files": "[a]\nb = '{}'\n", "settings_files": "[a]\nb = '{}'\n", "dotenv": "BILLING__A__B={}\n"}
    world.project(**{key: ["d-{env}/*" + ENDINGS[key] + "?"]})
    for name in ("one", "two"):
        world.write(f"d-test/{name}{ENDINGS[key]}", texts[key].format(name))
    assert world.run("--env", "test", "config", "get-value", "a", "b")[:2] == (0, "two\n")
    mentions = App("billing", env="test", **_said(world)).conf.explain("a", "b").mentions
    assert os.path.basename(mentions[0].origin.partition(":")[0]) == f"two{ENDINGS[key]}"


def _said(world: World) -> dict[str, Any]:
    from framework import project

    found = project.find(str(world.home), named=True)
    assert found is not None
    return {name: value for name, value in found.settings.items() if name != "name"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("*/a.toml", "*/a.toml: a * is allowed only in the last part of a path. For example conf.d/*.toml."),
        ("?", "'?': an entry names no file. Remove it, or write a path."),
        ("", "'': an entry names no file."),
        ("{environment}.toml?", "{environment}.toml?: unknown placeholder {environment}. Write {env}."),
        ("{ENV}.toml?", "{ENV}.toml?: unknown placeholder {ENV}. Write {env}."),
    ],
)
def test_an_entry_that_makes_no_sense(world: World, entry: str, message: str) -> None:
    world.project(config_files=[entry])
    status, out, err = world.run("dump")
    assert (status, out) == (1, "")
    assert err.startswith(f"error: {message}")


@pytest.mark.parametrize("key", ["schema", "home", "config"])
def test_one_file_does_not_depend_on_the_environment(world: World, key: str) -> None:
    world.project(**{key: "{env}.toml"})
    status, out, err = world.run("dump")
    line = 3 if key == "home" else 4
    assert (status, out) == (1, "")
    assert err.startswith(f"error: pyproject.toml:{line}: {{env}} is not replaced in {key}.")


def test_what_looks_like_a_pattern_in_the_projects_own_path_is_not_one(world: World) -> None:
    folder = "in {env} of * and"
    world.write(
        f"{folder}/pyproject.toml", '[tool.framework]\nname = "billing"\nconfig_files = ["{env}.toml?", "*.cfg"]\n'
    )
    world.write(f"{folder}/test.toml", "[server]\nport = '1'\n")
    world.write(f"{folder}/x.cfg", "[server]\nhost = h\n")
    assert port(world, "--project", folder, "--env", "test") == "1"
    assert world.run("--project", folder, "config", "get-value", "server", "host")[:2] == (0, "h\n")

    os.chdir(world.home / folder)
    app = App("billing", home="/nonexistent", env="test", config_files=["{env}.toml?", "*.cfg"])
    os.chdir(world.home)
    assert (app.conf.get("server", "port"), app.conf.get("server", "host")) == ("1", "h")
    app.reload()
    assert app.conf.get("server", "port") == "1"


# Trust


def test_what_a_pattern_finds_is_checked_and_its_folder(world: World) -> None:
    world.project(config_files=["conf.d/*.toml", "{env}.toml?"])
    path = world.write("conf.d/a.toml", "[a]\nb = 1\n")
    assert world.run("dump")[0] == 0
    path.chmod(0o666)
    status, _, err = world.run("dump")
    assert (
        status,
        err.startswith("error: conf.d/a.toml: a file that was not named explicitly is not used when others"),
    ) == (
        1,
        True,
    )
    path.unlink()
    (world.home / "conf.d").chmod(0o777)
    status, _, err = world.run("dump")
    assert status == 1
    assert err.startswith(
        "error: conf.d: a file that was not named explicitly is not used when others can write the folder"
    )
    assert world.run("--project", ".", "dump")[0] == 0
    (world.home / "conf.d").chmod(0o755)
    world.write("development.toml", "", 0o666)
    status, _, err = world.run("dump")
    assert (status, err.startswith("error: development.toml: a file that was not named")) == (1, True)


# The command line


def test_an_env_file_on_the_command_line_is_over_those_of_the_project(world: World) -> None:
    world.project(dotenv=[".env?"])
    world.write(".env", "BILLING__A__B=project\nBILLING__A__C=project\n")
    world.write("ci.env", "BILLING__A__B=ci\n")
    world.write("last.env", "BILLING__A__B=last\n")
    words = ("config", "get-value", "a")
    assert world.run("--dotenv", "ci.env", *words, "b")[:2] == (0, "ci\n")
    assert world.run("--dotenv", "ci.env", *words, "c")[:2] == (0, "project\n")
    assert world.run("--dotenv", "ci.env", "--dotenv", "last.env", *words, "b")[:2] == (0, "last\n")
    assert world.run("--name", "billing", "--dotenv", "ci.env", *words, "b")[:2] == (0, "ci\n")
    assert world.run("--dotenv", "gone.env", *words, "b")[0] == 1
    assert world.run("--dotenv", "gone.env?", *words, "b")[:2] == (0, "project\n")
    assert world.run("--dotenv", "", *words, "b")[0] == 2


def test_an_env_file_may_be_a_pipe(world: World) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"BILLING__A__B=piped\n")
    os.close(writing)
    try:
        assert world.run("--dotenv", f"/dev/fd/{reading}", "config", "get-value", "a", "b")[:2] == (0, "piped\n")
    finally:
        os.close(reading)


@pytest.mark.parametrize("flag", ["env", "dotenv"])
def test_flags_of_an_application_are_refused_for_an_application_object(world: World, flag: str) -> None:
    world.write("boot.py", "from framework import App\napp = App('billing')\n")
    assert world.run("--app", "boot:app", f"--{flag}", "x", "dump") == (
        1,
        "",
        f"error: --{flag} requires --project or --name. An App has its own {flag}=.\n",
    )


def test_files_are_listed_on_request_found_or_not_in_order(world: World) -> None:
    world.project(
        config_files=["base.toml", "{env}.toml?"], settings_files=["settings.toml"], dotenv=[".env?", ".env.{env}?"]
    )
    toml(world, base="b")
    world.write("settings.toml", "")
    listed = [
        ("project", "pyproject.toml", "found"),
        (".env", ".env.test", "absent"),
        (".env", ".env", "absent"),
        ("config file", "test.toml", "absent"),
        ("config file", "base.toml", "found"),
        ("settings", ".secrets.toml", "absent"),
        ("settings", "settings.local.toml", "absent"),
        ("settings", "settings.toml", "found"),
        ("main cfg", "billing.cfg", "absent"),
    ]
    words = ("--env", "test")
    out = world.run(*words, "explain", "--files", "-o", "plain")[1]
    assert [tuple(line.split("\t")) for line in out.splitlines()] == listed
    dump = world.run(*words, "dump", "--sources", "--files")[1]
    assert dump.endswith("# files\n" + "".join(f"#   {file} = {state} ({kind})\n" for kind, file, state in listed))
    out = world.run(*words, "explain", "server", "port", "--files")[1]
    assert out.endswith("".join(f"  looked for: {kind}: {file} ({state})\n" for kind, file, state in listed))
    assert "test.toml" not in world.run(*words, "dump", "--sources")[1]
    assert "test.toml" not in world.run(*words, "explain", "server", "port")[1]


@pytest.mark.parametrize("name", ["main.toml", "app.toml", "conf.d/00.toml"])
def test_a_file_that_is_named_is_not_an_environment(world: World, name: str) -> None:
    pattern = name.replace("00", "*")
    (world.home / "conf.d").mkdir(mode=0o700)
    placeholder = pattern.replace("main", "{env}").replace("app", "{env}").replace("*", "{env}") + "?"
    world.project(config_files=[pattern, placeholder])
    world.write(name, "[s]\na = 1\n")
    assert world.run("--env", "production", "check")[0] == 0
    world.write(name.replace("main", "staging").replace("app", "staging").replace("00", "staging"), "[s]\na = 2\n")
    assert ("only for staging" in world.run("--env", "production", "check")[1]) == ("*" not in pattern)
