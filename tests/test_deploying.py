"""The files of the page on deployment: each is read by a parser of its kind, and its commands are ours."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import World
from test_docs import DOCS, blocks_of

from framework.cli.commands import STARTS_PROGRAM
from framework.cli.parsers import command_parser, main_parser

FILES = {block.file: block.text for block in blocks_of(DOCS / "guides" / "operators" / "deploying.md") if block.file}
MOVING = (DOCS / "guides" / "operators" / "moving.md").read_text()

INSTRUCTIONS = "FROM WORKDIR COPY RUN USER ENV ARG EXPOSE ENTRYPOINT CMD HEALTHCHECK LABEL VOLUME".split()


def commands() -> list[list[str]]:
    """Every call of ours in the files and in the table of other tools, as words."""
    found = [json.loads(line.partition(" ")[2]) for line in FILES["Dockerfile"].splitlines() if "ENTRYPOINT" in line]
    for line in FILES["billing.service"].splitlines():
        if "/framework " in line:
            found.append(["framework", *shlex.split(line.split("/framework ", 1)[1])])
    containers = yaml.safe_load(FILES["deployment.yaml"])["spec"]["template"]["spec"]["containers"]
    found += [[*container["command"], *container["args"]] for container in containers]
    steps = yaml.safe_load(FILES[".github/workflows/deploy.yml"])["jobs"]["deploy"]["steps"]
    found += [shlex.split(step["run"]) for step in steps if step.get("run", "").startswith("framework ")]
    found += [shlex.split(text) for text in re.findall(r"`(framework [^`|$]+)`", MOVING)]
    text = (DOCS / "guides" / "operators" / "deploying.md").read_text()
    calls = [shlex.split(" ".join(call.split())) for call in re.findall(r"`(framework [^`|]+)[|`]", text)]
    found += [words for words in calls if len(words) > 2]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_is_one_of_ours(words: list[str]) -> None:
    own = words[1 : words.index("--")] if "--" in words else words[1:]
    given = main_parser().parse_args(own)
    assert ("--" in words) == (given.command in STARTS_PROGRAM)
    command_parser(given.command).parse_args(given.rest)


def test_the_dockerfile() -> None:
    for line in FILES["Dockerfile"].splitlines():
        word, _, rest = line.partition(" ")
        assert word in INSTRUCTIONS and rest
        if word in ("ENTRYPOINT", "CMD"):
            assert all(isinstance(item, str) for item in json.loads(rest))


def test_the_compose_file() -> None:
    read = yaml.safe_load(FILES["compose.yaml"])
    secrets = set(read["secrets"])
    for service in read["services"].values():
        assert {"build", "environment", "secrets"} <= set(service) and secrets.issuperset(service["secrets"])
        assert service["environment"]["BILLING__DB__PASSWORD_FILE"].removeprefix("/run/secrets/") in secrets
        assert all(isinstance(text, str) for text in service["environment"].values())


def test_the_unit(tmp_path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(FILES["billing.service"])
    assert unit.sections() == ["Unit", "Service", "Install"] and unit["Service"]["ExecStart"].startswith("/")
    if shutil.which("systemd-analyze") is None:
        return
    text = re.sub(r"/srv/billing/\.venv/bin/\w+", "/bin/true", FILES["billing.service"])
    path = tmp_path / "billing.service"
    path.write_text(text.replace("User=billing\n", "").replace("/srv/billing", "/"))
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True)
    assert "billing.service" not in done.stderr, done.stderr  # an unknown key, a value that cannot be read


def test_the_deployment() -> None:
    read: dict[str, Any] = yaml.safe_load(FILES["deployment.yaml"])
    spec = read["spec"]
    pod = spec["template"]["spec"]
    assert (read["apiVersion"], read["kind"]) == ("apps/v1", "Deployment")
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in pod["containers"]:
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert volumes.issuperset(mounts) and all(isinstance(entry["value"], str) for entry in container["env"])
        file = next(entry["value"] for entry in container["env"] if entry["name"].endswith("_FILE"))
        assert file.startswith(tuple(mounts.values()))


def test_the_workflow() -> None:
    read = yaml.safe_load(FILES[".github/workflows/deploy.yml"])
    for step in read["jobs"]["deploy"]["steps"]:
        assert ("uses" in step) != ("run" in step)


def test_a_secret_that_is_exported_is_the_file_that_the_pod_reads(world: World) -> None:
    world.project(sensitive=["db.password"])
    world.set(BILLING__DB__PASSWORD="made-up")
    call = next(words for words in commands() if "k8s-secret" in words)
    _, out, _ = world.run(*call[1:])
    made, pod = yaml.safe_load(out), yaml.safe_load(FILES["deployment.yaml"])["spec"]["template"]["spec"]
    assert made["metadata"]["name"] == pod["volumes"][0]["secret"]["secretName"]
    file = next(entry["value"] for entry in pod["containers"][0]["env"] if entry["name"].endswith("_FILE"))
    assert file.rpartition("/")[2] in made["data"]
