"""The package in each form in which it is shipped: a wheel, an archive, compiled files alone, `-OO`, frozen."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import THOROUGH

PACKAGE = Path(__file__).parent.parent / "framework"

#: What must work everywhere: help with examples, a database, packaged facts and tables, a message about a mistake.
WORDS = (
    ("check", "--help"),
    ("--name", "billing", "db", "migrate"),
    ("--name", "billing", "variables", "set", "key", "hello"),
    ("--name", "billing", "variables", "get", "key"),
    ("--name", "airflow", "config", "get-value", "core", "parallelism"),
    ("--name", "airflow", "config", "lint"),
    ("--name", "billing", "connections", "get", "absent"),
)


#: What a frozen application of this test need not hold: the stores' libraries take minutes to be collected.
_NOT_FROZEN = """
boto3 botocore google grpc azure kubernetes yandexcloud yandex keyring hvac dynaconf rich requests
psycopg psycopg_binary pymysql akeyless urllib3
aiohttp numpy pandas pytest moto gevent hypothesis IPython jwt msal setuptools tkinter
""".split()


def run(command: list[str], home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command in an empty environment, from a folder outside the project."""
    clean = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("FRAMEWORK_", "PYTHON", "AIRFLOW", "BILLING"))
    }
    clean |= {"HOME": str(home), "AIRFLOW_HOME": str(home), "COLUMNS": "100"}
    clean["BILLING__CORE__FERNET_KEY"] = "cGxlYXNlIGRvIG5vdCB1c2UgdGhpcyBhcyBhIGtleSE="
    return subprocess.run(command, cwd=home, env={**clean, **environ}, capture_output=True, text=True)


def outcome(command: list[str], home: Path, **environ: str) -> list[tuple[int, str, str]]:
    """The results of each command in `WORDS`."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    done = [run([*command, *words], home, **environ) for words in WORDS]
    return [
        (each.returncode, *(text.replace(str(home), "HOME") for text in (each.stdout, each.stderr))) for each in done
    ]


def copied(folder: Path) -> Path:
    return Path(shutil.copytree(PACKAGE, folder / "framework", ignore=shutil.ignore_patterns("__pycache__")))


def as_archive(folder: Path) -> Path:
    copied(folder / "files")
    with zipfile.ZipFile(folder / "framework.zip", "w") as archive:
        for path in sorted((folder / "files").rglob("*")):
            archive.write(path, path.relative_to(folder / "files"))
    return folder / "framework.zip"


def as_compiled_alone(folder: Path) -> Path:
    copied(folder)
    compileall.compile_dir(folder, legacy=True, quiet=1)
    for source in folder.rglob("*.py"):
        source.unlink()
    return folder


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str, str]]:
    """The results of the source tree."""
    found = outcome(
        [sys.executable, "-m", "framework"], tmp_path_factory.mktemp("source") / "home", PYTHONPATH=str(PACKAGE.parent)
    )
    assert [status for status, _, _ in found] == [0, 0, 0, 0, 0, 0, 1], found
    assert "for example:" in found[0][1] and found[3][1] == "hello\n" and found[4][1] == "32\n"
    assert "absent" in found[6][2]
    return found


@pytest.mark.parametrize("form", [as_archive, as_compiled_alone])
def test_an_archive_and_compiled_files_do_the_same(
    tmp_path: Path, form: Callable[[Path], Path], expected: list[tuple[int, str, str]]
) -> None:
    place = form(tmp_path)
    assert not list(tmp_path.rglob("*.py")) or place.suffix == ".zip"
    code = "import sys; from framework.__main__ import main; raise SystemExit(main())"
    command = [sys.executable, "-c", code]
    loaded = run([sys.executable, "-c", "import framework; print(framework.__file__)"], tmp_path, PYTHONPATH=str(place))
    assert loaded.stdout.startswith(str(place))
    assert outcome(command, tmp_path / "home", PYTHONPATH=str(place)) == expected


def test_without_docstrings_and_assertions_everything_works(
    tmp_path: Path, expected: list[tuple[int, str, str]]
) -> None:
    command = [sys.executable, "-OO", "-m", "framework"]
    assert outcome(command, tmp_path / "home", PYTHONPATH=str(PACKAGE.parent)) == expected


def test_a_contract_fails_without_assertions_as_well() -> None:
    code = """
from framework.testing import MemoryBackend, ReadingContract

class Wrong(ReadingContract):
    kinds = ("variable",)
    def backend(self):
        return MemoryBackend(variables={self.absent: "there"})

try:
    Wrong().test_absent_is_none()
except AssertionError:
    print("failed")
"""
    assert subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True, text=True).stdout == "failed\n"


@pytest.mark.parametrize("part", ["schemas/airflow.py", "schemas/airflow.older.yml"])
def test_a_missing_part_of_the_package_is_an_error(tmp_path: Path, part: str) -> None:
    (copied(tmp_path) / part).unlink()
    command = [sys.executable, "-m", "framework", "--name", "airflow", "config", "lint"]
    done = run(command, tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1 and "a part of framework itself is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_script_of_a_wheel_and_the_module_do_the_same(tmp_path: Path) -> None:
    """From other folders, with `--project`: a backend class, a settings object and an App beside the project file."""
    build = pytest.importorskip("build")
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin" / "python"
    wheels = tmp_path / "wheels"
    source = tmp_path / "source"
    shutil.copytree(PACKAGE, source / "framework", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(PACKAGE.parent / name, source / name)
    building = [sys.executable, "-m", build.__name__, "--wheel", "--no-isolation", "--outdir", str(wheels), str(source)]
    made = subprocess.run(building, capture_output=True, text=True)
    if made.returncode and "hatchling" in made.stdout + made.stderr:
        pytest.skip("hatchling is not installed")
    assert not made.returncode, made.stderr
    site = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True
    ).stdout.strip()
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        wheel.extractall(site)
        points = wheel.read(next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))).decode()
    assert "framework = framework.__main__:main" in points
    script = venv / "bin" / "framework"
    script.write_text(f"#!{python}\nimport sys\nfrom framework.__main__ import main\nsys.exit(main())\n")  # as pip does
    script.chmod(0o755)
    ours = next(path for path in sys.path if path.endswith("site-packages"))
    Path(site, "others.pth").write_text(f"{ours}\n")  # what we depend on

    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[tool.framework]\nname = "billing"\nhome = "."\ndynaconf = "config:settings"\n'
    )
    (project / "billing.cfg").write_text("[secrets]\nbackend = mine.Backend\n")
    (project / "config.py").write_text("class settings:\n    as_dict = staticmethod(lambda: {'SERVER': {'PORT': 9}})\n")
    (project / "mine.py").write_text(
        "from framework import BaseSecretsBackend\n\n\nclass Backend(BaseSecretsBackend):\n    remote = False\n\n"
        "    def get_variable(self, key, team_name=None):\n        return f'{key} of mine'\n"
    )
    (project / "boot.py").write_text(
        "from framework import App\n\napp = App('booted', environ={'BOOTED__A__B': 'c'})\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    asked = {
        ("config", "get-value", "server", "port"): "9\n",
        ("variables", "get", "region"): "region of mine\n",
    }
    for command in ([str(script)], [str(python), "-m", "framework"]):
        for folder, named in (
            (project, []),
            (elsewhere, ["--project", str(project)]),
            (elsewhere, ["--project", "../project"]),
        ):
            for words, answer in asked.items():
                done = run([*command, *named, *words], folder)
                assert (done.stdout, done.returncode) == (answer, 0), done.stderr
        done = run([*command, "--app", "boot:app", "config", "get-value", "a", "b"], project)
        assert (done.stdout, done.returncode) == ("c\n", 0), done.stderr
        where = {"FRAMEWORK_PROJECT": str(project)}
        done = run([*command, "--app", "boot:app", "config", "get-value", "a", "b"], elsewhere, **where)
        assert (done.stdout, done.returncode) == ("c\n", 0), done.stderr


def test_frozen_it_does_the_same(tmp_path: Path, expected: list[tuple[int, str, str]]) -> None:
    if not THOROUGH:
        pytest.skip("it takes half a minute; FRAMEWORK_THOROUGH=1 asks for it, as the check does")
    pytest.importorskip("PyInstaller")
    (tmp_path / "main.py").write_text("from framework.__main__ import main\n\nraise SystemExit(main())\n")
    hooks = PACKAGE / "frozen"
    building = [
        *(sys.executable, "-m", "PyInstaller", "--onedir", "--noconfirm", "--log-level", "ERROR", "--name", "frozen"),
        *("--additional-hooks-dir", str(hooks), "--paths", str(PACKAGE.parent), "--distpath", str(tmp_path / "dist")),
        *(f"--exclude-module={name}" for name in _NOT_FROZEN),
        *("--workpath", str(tmp_path / "work"), "--specpath", str(tmp_path), str(tmp_path / "main.py")),
    ]
    made = subprocess.run(building, capture_output=True, text=True, cwd=tmp_path)
    assert not made.returncode, made.stderr[-2000:]
    frozen = outcome([str(tmp_path / "dist" / "frozen" / "frozen")], tmp_path / "home")
    assert [status for status, _, _ in frozen] == [status for status, _, _ in expected], frozen
    assert frozen[3][1:] == expected[3][1:] and frozen[4][1:] == expected[4][1:]
