"""The reports of `check` for pipelines, read as their readers do: GitHub's rules, JSON, an XML parser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from conftest import World

from framework.inspection.problem import CODES, Problem

ROOT = Path(__file__).parents[1]
FORMATS = ("table", "json", "yaml", "plain", "github", "gitlab", "junit", "sarif")
SCHEMA = """
[server.options.port]
type = "integer"
[server.options.mode]
type = "string"
choices = ["a", "b"]
[server.options.token]
type = "string"
sensitive = true
"""


@pytest.fixture
def wrong(world: World) -> World:
    """Two errors in files, one of a variable, and a warning."""
    world.project(schema="schema.toml", config_files=["conf/app.toml"])
    world.write("schema.toml", SCHEMA)
    world.write("billing.cfg", "[server]\nport = http\n")
    world.write("conf/app.toml", '[server]\nprot = "1"\n')
    world.set(BILLING__SERVER__MODE="c,d: 50%", BILLING_CON_X="x")
    return world


def annotations(out: str) -> list[tuple[str, dict[str, str], str]]:
    """Workflow commands as GitHub's runner reads them."""
    found = []
    for line in out.splitlines():
        if command := re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line):
            level, properties, text = command.groups()
            pairs = dict(pair.split("=", 1) for pair in properties.split(","))
            for coded, plain in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
                pairs = {name: value.replace(coded, plain) for name, value in pairs.items()}
                text = text.replace(coded, plain)
            found.append((level, pairs, text))
    return found


def test_github_annotates_the_line_of_a_file_and_names_any_other_origin(wrong: World) -> None:
    status, out, _ = wrong.run("check", "--output", "github")
    assert status == 1
    lines = annotations(out)
    assert len(lines) == 4
    by_line = {(pairs.get("file"), pairs.get("line")): (level, text) for level, pairs, text in lines}
    assert by_line["billing.cfg", "2"][0] == "error"
    assert by_line["billing.cfg", "2"][1].startswith("[server] port: expected a whole number")
    assert by_line["conf/app.toml", "2"][1].startswith("[server] prot: no such option is declared; did you mean")
    texts = [text for _, pairs, text in lines if "file" not in pairs]
    assert any(text.startswith("BILLING__SERVER__MODE: ") and "50%" in text for text in texts)
    assert {pairs["title"] for _, pairs, _ in lines} == {"framework check"}


def test_github_shows_ten_errors_first_and_the_rest_as_lines(wrong: World) -> None:
    wrong.write("conf/app.toml", "[server]\n" + "".join(f'p{number} = "1"\n' for number in range(20)))
    _, out, _ = wrong.run("check", "--output", "github")
    lines = annotations(out)
    assert [level for level, _, _ in lines] == ["error"] * 10
    assert "and 13 more:" in out.splitlines()
    assert len(out.splitlines()) == 24


def test_gitlab_has_a_fingerprint_that_stays_when_lines_move(wrong: World) -> None:
    def report() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(wrong.run("check", "-o", "gitlab")[1])
        return found

    before = report()
    assert {"description", "check_name", "fingerprint", "severity", "location"} == set(before[0])
    assert len({entry["fingerprint"] for entry in before}) == len(before)
    places = [(entry["location"]["path"], entry["location"]["lines"]["begin"]) for entry in before]
    assert ("billing.cfg", 2) in places
    wrong.write("billing.cfg", "# moved\n\n[server]\nport = https\n")
    after = report()
    assert {entry["fingerprint"] for entry in before} == {entry["fingerprint"] for entry in after}
    assert ("billing.cfg", 4) in [(entry["location"]["path"], entry["location"]["lines"]["begin"]) for entry in after]


def test_junit_counts_failures(wrong: World) -> None:
    suite = ElementTree.fromstring(wrong.run("check", "-o", "junit")[1])[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "3", "1")
    assert suite.findall("testcase/failure")[0].get("type") in CODES
    files = {case.get("file"): case.get("line") for case in suite}
    assert files["billing.cfg"] == "2"


def test_junit_of_a_configuration_without_problems_has_one_test_that_passes(world: World) -> None:
    status, out, _ = world.run("check", "-o", "junit")
    suite = ElementTree.fromstring(out)[0]
    assert status == 0
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")


def test_sarif_has_what_code_scanning_wants(wrong: World) -> None:
    report = json.loads(wrong.run("check", "-o", "sarif")[1])
    run = report["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert report["version"] == "2.1.0"
    for rule in run["tool"]["driver"]["rules"]:  # GitHub refuses a rule without these
        assert rule["fullDescription"]["text"].endswith(".") and rule["id"] in rule["help"]["text"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        place = result["locations"][0]["physicalLocation"]
        assert place["region"]["startLine"] >= 1
        assert not place["artifactLocation"]["uri"].startswith("/")
        assert result["partialFingerprints"]
    assert "BILLING__SERVER__MODE" in json.dumps(run["results"])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("name", "text"), [("conf/app.toml", "[server\n"), ("billing.cfg", "port = 1\n"), ("schema.toml", "x = [")]
)
def test_a_file_that_does_not_parse_is_a_problem_in_every_format(
    wrong: World, format: str, name: str, text: str
) -> None:
    wrong.write(name, text)
    status, out, err = wrong.run("check", "--output", format)
    assert status == 1
    assert name in out + err
    assert "Traceback" not in err
    if format in ("json", "gitlab", "sarif"):
        json.loads(out)
    if format == "junit":
        assert ElementTree.fromstring(out)[0].get("failures") == "1"
    if format == "github":
        assert annotations(out)[0][1]["file"] == name


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_others_can_write_is_a_problem_in_every_format(wrong: World, format: str) -> None:
    """Its path is of a class of its own, which no writer may trip over."""
    (wrong.home / "conf" / "app.toml").chmod(0o666)
    status, out, err = wrong.run("check", "--output", format)
    assert status == 1
    assert "app.toml" in out + err and "Traceback" not in err
    if format == "yaml":
        assert yaml.safe_load(out)[0]["where"].endswith("app.toml")


@pytest.mark.parametrize("format", FORMATS)
def test_no_format_shows_a_secret(wrong: World, format: str) -> None:
    wrong.set(BILLING__SERVER__TOKEN="canary-token", BILLING__SERVER__PORT="canary-token")
    _, out, err = wrong.run("check", "--output", format)
    assert "canary" not in out + err


@pytest.mark.parametrize("format", FORMATS)
def test_hostile_text_stays_in_its_place(wrong: World, format: str) -> None:
    """A value with a line break and a workflow command, and one with markup."""
    wrong.set(BILLING__SERVER__MODE="x\n::error::injected", BILLING__SERVER__PORT='<a b="c">]]>\x01')
    _, out, _ = wrong.run("check", "--output", format)
    assert not any(line.startswith("::error::injected") for line in out.splitlines())
    if format == "junit":
        ElementTree.fromstring(out)


@pytest.mark.external
def test_the_status_is_3_only_if_every_error_is_a_link_that_does_not_answer(wrong: World) -> None:
    wrong.set(
        BILLING__SECRETS__BACKEND="vault",
        BILLING__SECRETS__BACKEND_KWARGS=json.dumps({"url": "http://127.0.0.1:9", "token": "t"}),
        BILLING__SERVER__TOKEN_SECRET="x",
        BILLING__SECRETS__RESOLVE_TIMEOUT_SECONDS="2",
    )
    assert wrong.run("check")[0] == 1
    wrong.write("billing.cfg", "")
    wrong.write("conf/app.toml", "")
    wrong.set(BILLING__SERVER__MODE="a")
    status, out, _ = wrong.run("check", "-o", "json")
    assert [problem["code"] for problem in json.loads(out) if problem["level"] == "error"] == ["link-failed"]
    assert status == 3


def test_every_code_in_use_is_described() -> None:
    """The codes are distinguished by text: a typing mistake in one would be a new kind."""
    import framework.inspection

    used: set[str] = set()
    for path in Path(framework.inspection.__file__).parent.glob("*.py"):
        used |= set(re.findall(r'Problem\(\s*"\w+", "([a-z-]+)"', path.read_text()))
    assert used and used <= set(CODES)
    assert Problem("error", "required", "a.toml:3", "x").file == ("a.toml", 3)
    assert Problem("error", "required", "BILLING__A__B", "x").file is None


def test_every_code_is_in_the_docs() -> None:
    page = (ROOT / "docs/reference/checks.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \| ", page.partition("| code |")[2], re.MULTILINE) == list(CODES)


def test_the_action_runs_check_and_quotes_what_it_is_given(wrong: World) -> None:
    """The step of the action, run by the shell that GitHub runs it with."""
    yaml = pytest.importorskip("yaml")
    action = yaml.safe_load((ROOT / ".github/actions/framework-check/action.yml").read_text())
    step = action["runs"]["steps"][0]
    given = {"project": str(wrong.home), "environment": "", "arguments": "--offline --strict", "python": sys.executable}
    names = {name: text.removeprefix("${{ inputs.").removesuffix(" }}") for name, text in step["env"].items()}
    assert set(names.values()) == set(given) == set(action["inputs"])
    env = {**os.environ, **{name: given[which] for name, which in names.items()}, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        env=env,
        cwd=wrong.home,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert len(annotations(done.stdout)) == 4


def test_the_hook_runs_once_for_the_project(wrong: World) -> None:
    if find_spec("pre_commit") is None or shutil.which("git") is None:
        pytest.skip("pre-commit or git is not installed")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    hooks = wrong.home / "hooks"
    hooks.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", hooks)
    for folder in (hooks, wrong.home):
        subprocess.run([*git, "init", "-q"], cwd=folder, check=True)
        subprocess.run([*git, "add", "-A", "--", ":!hooks"], cwd=folder, check=True)
        subprocess.run([*git, "commit", "-qm", "first"], cwd=folder, check=True)
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "try-repo", "./hooks", "framework-check", "--all-files", "--color=never"],
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PRE_COMMIT_HOME": str(wrong.home / ".cache")},
        cwd=wrong.home,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout.count("[server] prot: no such option is declared") == 1, done.stdout + done.stderr
