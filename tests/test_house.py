"""The layout of the package: which modules may import which, what start-up may load, how large a file may be."""

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
    f"backends.{name}"
    for name in (
        "base",
        "named",
        "quiet",
        "session",
        "retries",
        "signature",
        "faults",
        "key_files",
        "remote",
        "fields",
        "inside_airflow",
        "issued",
        "tokens",
    )
)
#: The file that builds a backend may import the list of backends.
FACTORY = ("backends.factory", "backends.registry")
#: The wings from the ground up: folders, and files of the top floor. A file imports only from the wings before its own,
#: for types as well.
WINGS = """
limits parsing current locks copies jitter
masking errors logs convert deadlines
files
lifetime repeated given names project mistakes extra uri dialects connection access
metastore probing
layers
backends
chain
schemas
options
binding schema_export
config sharing assembly variable bound watching following reads app discovery __init__ testing pytest_plugin
delivery
inspection
web
integrations cli frozen __main__
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


NAMES = frozenset(map(name_of, FILES))


def imports_of(path: Path) -> set[str]:
    """The files of the package that a file imports, also those that only a type checker sees."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name_of(path)}: write the whole name of what is imported"
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "framework":
            base = node.module.removeprefix("framework").removeprefix(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".removeprefix(".")
                found.add(inner if inner in NAMES else base or "__init__")
        elif isinstance(node, ast.Import):
            found.update(a.name.removeprefix("framework.") for a in node.names if a.name.startswith("framework."))
    return found


def wing_of(name: str) -> str:
    return name.split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_imports_only_from_wings_below_its_own(path: Path) -> None:
    name = name_of(path)
    wing = wing_of(name)
    assert wing in WINGS, f"add framework/{name} to WINGS"
    for other in imports_of(path):
        assert WINGS.index(wing_of(other)) <= WINGS.index(wing), f"framework/{name} imports {other}, which is above it"
        if name.startswith("backends.") and other.startswith("backends"):
            own = ".".join(name.split(".")[:2])  # a large backend has a folder
            assert other in SHARED or other.startswith(f"{own}.") or (name, other) == FACTORY


def test_no_imports_form_a_cycle_inside_a_wing() -> None:
    from graphlib import TopologicalSorter

    within = {
        name_of(path): {other for other in imports_of(path) if wing_of(other) == wing_of(name_of(path))}
        for path in FILES
        if path.name != "__init__.py"
    }
    within["backends.base"].discard("backends.named")  # it exports `StoreBackend`, under its old path
    TopologicalSorter(within).prepare()  # raises CycleError


WRITTEN = [path for path in FILES if "Made by docs/" not in path.read_text()[:400]]


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_a_file_has_at_most_400_lines(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= 400, f"{lines} lines: which part of it belongs in a separate file?"


def test_no_two_backends_share_six_lines() -> None:
    """Code that two of them need belongs in `RemoteBackend`, `RemoteStore` or `session`."""
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


_NAMES = "from framework import App, conf, Connection, Variable"
_DUMP = "from framework.cli.main import main; main(['--project', '.', 'dump'])"
#: What a start does -> how many of our modules it may load, and how many others that bare Python does not.
STARTS = {
    "the front door": (_NAMES, 33, 4),
    "an App and one get": (f"{_NAMES}; App('bench', home='.').conf.get('core', 'x', fallback='y')", 39, 4),
    "TOML schema, TOML file, .env, cfg": (f"{_NAMES}; App.from_project('.').conf.get('server', 'host')", 48, 35),
    "dump with local secrets and SQLite": (_DUMP, 96, 90),
}


@pytest.fixture(scope="module")
def an_application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("application")
    script = "import sys; sys.path.insert(0, sys.argv[1]); import applications; applications.make('.')"
    subprocess.run([sys.executable, "-c", script, str(PACKAGE.parent / "benchmarks")], cwd=folder, check=True)
    return folder


def modules_after(code: str, folder: Path) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("what", STARTS)
def test_a_start_loads_no_more_modules_than_it_needs(what: str, an_application: Path) -> None:
    """A module takes a tenth of a millisecond of every start: what few starts need is imported where it is used."""
    code, ours, others = STARTS[what]
    loaded = modules_after(code, an_application)
    mine = {name for name in loaded if name.split(".")[0] == "framework"}
    assert len(mine) <= ours, sorted(mine)
    foreign = loaded - mine - modules_after("pass", an_application)
    assert len(foreign) <= others, sorted(foreign)


def test_nothing_names_this_machine() -> None:
    root = PACKAGE.parent
    names = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, names):
        path = root / name
        if path.suffix in (".py", ".md", ".toml", ".ini", ".cfg", ".yml") or path.name in ("run",):
            for match in re.finditer(r"/work/|/opt/venvs", path.read_text()):
                assert name == "tests/test_house.py", f"{name} holds a path of one machine: {match[0]}"
