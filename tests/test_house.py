"""The floors of the house: who may import whom, what start-up may load, how large a file may be."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "framework"

#: What the files of all backends may import; else a backend imports only files of its own folder.
SHARED = tuple(
    f"backends.{name}" for name in ("base", "named", "quiet", "session", "remote", "fields", "inside_airflow")
)
#: What builds a backend asks which there are.
FACTORY = ("backends.factory", "backends.registry")
#: A file imports only files above it. Folders stand for their files.
FLOORS = """
files.limits files.formats files.yaml_nodes
current spellings locks shown masking wording logs errors
files.trust files.lists files.text files.modules files.atomic files.tables files.scalars files.entries
files.stream files
answer convert given names environment mistakes uri connection options schemas schemas.airflow
types constraints declaration shape contradictions
layers.base layers.cfg installed facts schema layers.data layers.settings layers.defaults layers
metastore.crypto metastore.base metastore.limits metastore.failures metastore.sqlite metastore.servers
metastore.database
metastore.migrations.versions.v0001_first_tables metastore.migrations.versions metastore.migrations
metastore.rows metastore.store metastore.bulk metastore.rotation metastore
bounded parallel
backends.inside_airflow backends.fields backends.base backends.named backends.quiet backends.session
backends.remote
backends.environment backends.metastore backends.local_filesystem backends.mounted_files backends.keyring
backends.azure backends.gcp backends.akeyless backends.kubernetes backends.yandex
backends.aws.role backends.aws.client backends.aws.stores backends.aws
backends.vault.login backends.vault.session backends.vault.store backends.vault
backends.registry backends.factory backends
cache foreign strata link asked chain references pointers overrides reading notices engine slots explanation
formats airflow_calls config variable project misspelt surprises
wiring prefetch probing.tcp probing.protocols probing.probe probing sources app discovery
testing
cli.terminal
cli.output cli.nothing cli.parsers cli.progress cli.rows cli.dump cli.explain cli.check cli.edit cli.setting cli.lint
cli.config cli.db
cli.init cli.completion
cli.arguments cli.listing cli.transfer
cli.connections cli.variables cli.secrets cli.rotate cli.fernet cli.main cli
cli.stats cli.backend_test cli.policy pytest_plugin frozen.hook-framework frozen __init__ __main__
""".split()

HEAVY = (
    "sqlalchemy",
    "dynaconf",
    "cryptography",
    "yaml",
    "rich",
    "boto3",
    "botocore",
    "hvac",
    "dotenv",
    "tomli",
    "sqlite3",
)

FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imports_of(path: Path) -> set[str]:
    """The rooms that a file imports, but for what only a type checker sees."""
    tree = ast.parse(path.read_text())
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "framework":
            base = node.module.removeprefix("framework").removeprefix(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".removeprefix(".")
                found.add(inner if inner in FLOORS else base or "__init__")
        elif isinstance(node, ast.Import):
            found.update(a.name.removeprefix("framework.") for a in node.names if a.name.startswith("framework."))
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_imports_only_files_above_it(path: Path) -> None:
    name = name_of(path)
    assert name in FLOORS, f"say on which floor framework/{name} lives"
    for room in imports_of(path):
        assert FLOORS.index(room) < FLOORS.index(name), f"framework/{name} imports {room}, which is below it"
        if name.startswith("backends.") and room.startswith("backends"):
            own = ".".join(
                name.split(".")[:2]
            )  # a large backend has a folder; `factory` and `registry` know each other
            assert room in SHARED or room.startswith(f"{own}.") or (name, room) == FACTORY


WRITTEN = [path for path in FILES if "Made by docs/" not in path.read_text()[:400]]


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_a_file_is_no_longer_than_a_reader_can_hold(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= 400, f"{lines} lines: what in it is a room of its own?"


def test_no_two_backends_share_six_lines() -> None:
    """What two of them need is in `RemoteBackend`, `RemoteStore` or `session`."""
    places: dict[tuple[str, ...], set[str]] = {}
    for path in (PACKAGE / "backends").rglob("*.py"):
        lines = [line.strip() for line in path.read_text().splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        for start in range(len(lines) - 5):
            places.setdefault(tuple(lines[start : start + 6]), set()).add(name_of(path))
    shared = {" ".join(sorted(names)): "\n".join(lines) for lines, names in places.items() if len(names) > 1}
    assert not shared, shared


def loaded_by(code: str, *arguments: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return {module.split(".")[0] for module in done.stderr.split()}


def test_importing_loads_nothing_heavy() -> None:
    loaded = loaded_by("from framework import App, conf, Connection, Variable, BaseSecretsBackend, errors")
    assert loaded.isdisjoint(HEAVY), loaded & set(HEAVY)
    assert loaded.isdisjoint(("typing", "dataclasses", "logging", "pathlib", "re", "json", "enum", "argparse")), loaded


def test_help_loads_nothing_heavy() -> None:
    loaded = loaded_by("import sys; from framework.cli.main import main; main(['--help'])")
    assert loaded.isdisjoint(HEAVY), loaded & set(HEAVY)


def test_importing_reads_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("this is not TOML [")
    code = "from framework import App, conf, Connection, Variable; print('fine')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout == "fine\n"


def test_a_plain_get_loads_no_more_than_it_needs(tmp_path: Path) -> None:
    code = f"from framework import App; App('billing', home={str(tmp_path)!r}).conf.get('core', 'x', fallback='y')"
    assert loaded_by(code).isdisjoint(HEAVY)


def test_nothing_names_this_machine() -> None:
    root = PACKAGE.parent
    names = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, names):
        path = root / name
        if path.suffix in (".py", ".md", ".toml", ".ini", ".cfg", ".yml") or path.name in ("run",):
            for match in re.finditer(r"/work/|/opt/venvs", path.read_text()):
                assert name == "tests/test_house.py", f"{name} holds a path of somebody's machine: {match[0]}"
