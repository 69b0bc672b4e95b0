"""Every snippet of README.md and docs/ is run, and every list in them is complete.

A page is one session in its own folder, from its first line to its last. A page that says "The files are those of
[…](page.md)." begins with the files of that page; one that says "This page continues where […](page.md) ends." with all
of its blocks.

    a block below a line of `NAME`: alone     is that file
    ```python      runs; its names stay until the page ends
    ```pycon       runs, and shows what it shows
    ```console     lines after `$ ` run in a shell, and print what stands below them
    ```text        is not run

`...` stands for anything in what is shown. A page that speaks of `examples/` finds a copy of them.
One page by hand: `python tests/test_docs.py docs/reference/names.md`. `--python PATH` before it takes the commands of
another environment, such as one with the built wheel.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import framework
from framework import errors, project
from framework.backends import AIRFLOW_TWINS, SHORT_NAMES
from framework.cli.commands import COMMANDS
from framework.cli.parsers import command_parser, main_parser, subcommands
from framework.masking import SENSITIVE_NAMES
from framework.names import Names
from framework.options.own import NAMED_BACKEND, OPTIONS
from framework.options.types import TYPES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
#: Every Markdown file of the project.
MARKDOWN = [
    *PAGES,
    *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")),
    *ROOT.glob("examples/*/*.md"),
]
#: What pages need beyond the package itself; a page is skipped without it.
NEEDS = {
    "README.md": "dynaconf",
    "docs/guides/from-dynaconf.md": "dynaconf",
    "docs/guides/from-pydantic-settings.md": "pydantic",
    "docs/guides/typed-settings.md": "annotated_types",
    "docs/guides/integrations/django.md": "django",
    "docs/guides/integrations/workers.md": "flask",
    "docs/guides/integrations/fastapi.md": "fastapi",
    "docs/guides/integrations/pydantic-settings.md": "pydantic_settings",
}
SHOWN = doctest.ELLIPSIS
MARK = "-- end of a command --"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# -- a page as a session -----------------------------------------------------------------------------


class Block(NamedTuple):
    """One fenced block: its language, the file that it is or "", its text and its line in the page."""

    language: str
    file: str
    text: str
    line: int


def blocks_of(page: Path) -> Iterator[Block]:
    fence, language, file, before, indent, start = "", "", "", "", "", 0
    lines: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if fence and line.strip() == fence:
            yield Block(language, file, "".join(f"{line}\n" for line in lines), start)
            fence, before = "", ""
        elif fence:
            lines.append(line.removeprefix(indent))
        elif opening := re.fullmatch(r"(`{3,})(\w*)", line.strip()):
            fence, language = opening[1], opening[2]
            indent = line[: len(line) - len(line.lstrip())]  # inside a list
            named = re.fullmatch(r"`([^`]+)`:", before)
            file, start, lines = named[1] if named else "", number + 1, []
        elif line.strip():
            before = line.strip()
    assert not fence, f"{page}: a block does not end"


class Session:
    """Runs the blocks of one page in the working directory, and notes what is not as it is written."""

    def __init__(self, page: Path) -> None:
        self.page, self.names, self.faults = page, {"__name__": "docs"}, list[str]()

    def run(self, block: Block) -> None:
        run = getattr(self, f"_{block.language}", None)
        if block.file:
            self._write(block)
        elif run is not None:
            run(block)
        elif block.language not in ("text", "sh", "mermaid"):
            self._fault(block, f"a block of the language {block.language!r} is not run, and is not a file")

    def _fault(self, block: Block, what: str) -> None:
        self.faults.append(f"{name_of(self.page)}:{block.line}: {what}")

    def _write(self, block: Block) -> None:
        path = Path(block.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        if path.name == "pyproject.toml":
            self._install(path, tomllib.loads(block.text))

    def _install(self, path: Path, pyproject: dict[str, Any]) -> None:
        """Make a distribution's entry points known, as `pip install -e` does."""
        groups = pyproject.get("project", {}).get("entry-points", {})
        if groups:
            about = Path("installed", f"{pyproject['project']['name']}-1.0.dist-info")
            about.mkdir(parents=True, exist_ok=True)
            (about / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {pyproject['project']['name']}\nVersion: 1.0\n"
            )
            text = "".join(
                f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in points.items())
                for group, points in groups.items()
            )
            (about / "entry_points.txt").write_text(text)

    def _python(self, block: Block) -> None:
        code = "\n" * (block.line - 1) + block.text
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(code, str(self.page), "exec"), self.names)
        except Exception:
            self._fault(block, traceback.format_exc())

    def _pycon(self, block: Block) -> None:
        test = doctest.DocTestParser().get_doctest(block.text, self.names, name_of(self.page), None, block.line - 1)
        output = io.StringIO()
        with contextlib.redirect_stderr(sys.stdout):
            runner = doctest.DocTestRunner(optionflags=SHOWN, verbose=False)
            failures = runner.run(test, out=output.write, clear_globs=False).failed
        self.names.update(test.globs)
        if failures:
            self._fault(block, output.getvalue())

    def _console(self, block: Block) -> None:
        commands: list[tuple[str, list[str]]] = []
        for line in block.text.splitlines():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            elif commands and line.startswith("> "):
                commands[-1] = (f"{commands[-1][0]}\n{line[2:]}", [])
            else:
                commands[-1][1].append(line)
        ends = f"; __status=$?; echo; echo '{MARK}'; (exit $__status)\n"
        script = "".join(f"{{ {command}\n}}{ends}" for command, _ in commands)
        done = subprocess.run(
            ["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
        )
        printed = done.stdout.split(f"\n{MARK}\n")
        for (command, wanted), got in zip(commands, printed, strict=False):
            want, got = "\n".join(wanted).rstrip() + "\n", got.rstrip() + "\n"
            if "Traceback" in got or not doctest.OutputChecker().check_output(want, got, SHOWN):
                self._fault(block, f"$ {command}\n-- shown:\n{want}-- printed:\n{got}")


def begun_with(page: Path) -> Iterator[Block]:
    """The blocks that a page begins with: all those of the page that it goes on from, or the files of another."""
    text = page.read_text(encoding="utf-8")
    for other in re.findall(r"^This page continues where \[.+\]\((.+)\) ends\.$", text, re.MULTILINE):
        yield from begun_with(page.parent / other)
        yield from blocks_of(page.parent / other)
    for other in re.findall(r"^The files are those of \[.+\]\((.+)\)\.$", text, re.MULTILINE):
        yield from (block for block in blocks_of(page.parent / other) if block.file)


def session(page: Path) -> int:
    """Run a page in the working directory; print what is not as it is written."""
    shell = '#!/bin/sh\nexec {} "$@"\n'
    commands = Path(".venv/bin")  # as a reader has it, who followed the README
    commands.mkdir(parents=True)
    for name, runs in (("python", ""), ("framework", " -m framework"), ("pytest", " -m pytest -p no:cacheprovider")):
        path = commands / name
        path.write_text(shell.format(f"'{os.environ.get('DOCS_PYTHON', sys.executable)}'{runs}"))
        path.chmod(0o700)
    if "examples/" in page.read_text(encoding="utf-8"):
        shutil.copytree(ROOT / "examples", "examples", ignore=shutil.ignore_patterns("__pycache__"))
    os.environ["PATH"] = f"{commands.absolute()}{os.pathsep}{os.environ['PATH']}"
    sys.path[0] = ""
    running = Session(page)
    for block in (*begun_with(page), *blocks_of(page)):
        running.run(block)
    print("\n".join(running.faults))
    return 1 if running.faults else 0


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_snippet_of_the_page_runs_and_shows_what_it_shows(page: Path, tmp_path: Path) -> None:
    needs = NEEDS.get(name_of(page))
    if needs is not None and find_spec(needs) is None:
        pytest.skip(f"{name_of(page)} needs {needs}")
    if not any(block.language not in ("text", "sh") for block in blocks_of(page)):
        return
    done = run_in(tmp_path, page)
    assert done.returncode == 0, done.stdout + done.stderr


def run_in(folder: Path, page: Path, python: str = "") -> subprocess.CompletedProcess[str]:
    ours = ("BILLING_", "FRAMEWORK_", "QUICKSTART_", "AIRFLOW_", "COV_")
    env = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    env |= {
        "PYTHONPATH": f"{Path(framework.__file__).resolve().parents[1]}{os.pathsep}{folder / 'installed'}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "HOME": str(folder),
        "COLUMNS": "100",
        "TERM": "dumb",
    }
    if python:
        env |= {"DOCS_PYTHON": python, "PYTHONPATH": str(folder / "installed")}
    words = [sys.executable, __file__, "--here", str(page)]
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


# -- lists are complete ------------------------------------------------------------------------------


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def words_of(text: str) -> str:
    """A text without its line breaks and without Markdown's backslashes."""
    return " ".join(text.replace("\\", "").split())


def option_rows() -> list[str]:
    """The table of docs/reference/options.md, made from the options."""
    rows = []
    named = {"secrets.NAME": NAMED_BACKEND}
    for section, described in (*OPTIONS.items(), *named.items()):
        for key, option in described["options"].items():
            default = f"`{option['default']}`" if option["default"] else "empty"
            notes = [f"`{option['example']}`"] if "example" in option else []
            choices = ", ".join(f"`{choice}`" for choice in option.get("choices", ()))
            notes += [f"one of {choices}"] if choices else []
            notes += ["sensitive"] if option.get("sensitive") else []
            about = option["description"] + (f" ({'; '.join(notes)})" if notes else "")
            rows.append(f"| `[{section}] {key}` | {option['type']} | {default} | {about} |")
    return rows


def test_every_option_is_in_the_docs() -> None:
    text = text_of("docs/reference/options.md")
    rows = [line for line in text.splitlines() if line.startswith("| `[")]
    assert rows == option_rows(), "write these rows:\n" + "\n".join(option_rows())


def test_every_setting_of_the_project_file_is_in_the_docs() -> None:
    settings = re.findall(r"^\| `(\w+)` \|", text_of("docs/reference/options.md"), re.MULTILINE)
    assert settings == list(project._KEYS)


def sections_of(text: str) -> dict[str, str]:
    """Headings of the second order, and what is below them."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def parsers() -> Iterator[tuple[str, ArgumentParser]]:
    """Every command and command of a command, such as `config list`."""
    for command in COMMANDS:
        parser = command_parser(command)
        below = list(subcommands(parser))
        if not below:
            yield command, parser
        for name, _, inner in below:
            yield f"{command} {name}", inner


def flags_of(parser: ArgumentParser) -> set[str]:
    shown = [action for action in parser._actions if action.help != SUPPRESS]
    return {flag for action in shown for flag in action.option_strings} - {"-h", "--help"}


def flags_in(text: str) -> set[str]:
    """The flags that are in code at the beginning of a table's row."""
    cells = re.findall(r"^\| (`-[^|]+) \|", text, re.MULTILINE)
    return set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", " ".join(cells)))


def test_every_command_and_flag_is_in_the_reference() -> None:
    sections = sections_of(text_of("docs/reference/commands.md"))
    for command, parser in parsers():
        assert command in sections, f"docs/reference/commands.md says nothing of {command!r}"
        assert flags_in(sections[command]) == flags_of(parser), command
        for action in parser._actions:
            for choice in action.choices or () if action.help != SUPPRESS else ():
                assert f"`{choice}`" in sections[command], f"{command}: {choice}"
    of_all = set(re.findall(r"^  (?:-h, )?(--[a-z]+)", sections["framework"], re.MULTILINE))
    # The flags before the command have no help texts of their own: their page is written by hand.
    assert of_all == {flag for action in main_parser()._actions for flag in action.option_strings} - {"-h"}


def test_every_command_is_in_a_guide() -> None:
    guides = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "guides").rglob("*.md"))
    for command in COMMANDS:
        assert re.search(rf"(?:framework |`){command}\b", guides), f"no guide shows {command}"


def test_every_wing_is_on_the_map() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    for folder in sorted(path.parent for path in (ROOT / "framework").glob("*/__init__.py")):
        assert f"  {folder.name}/ " in text, folder.name
    on_map = text.split("```text\nframework/\n", 1)[1].split("```")[0].split()
    for path in (ROOT / "framework").glob("[a-z]*.py"):
        assert path.stem in on_map, path.name
    for named in re.findall(r"`((?:\w+/)*\w+\.py)`", text):
        assert "NAME" in named or any((root / named).exists() for root in (ROOT, ROOT / "framework")), named


def test_the_drawing_of_the_map_is_true_and_goes_down() -> None:
    """Each arrow is an import, and leads to a wing that comes before the other in `WINGS`."""
    drawing = text_of("docs/architecture.md").split("```mermaid\nflowchart TD\n", 1)[1].split("```")[0]
    wings = text_of("tests/test_house.py").split('WINGS = """')[1].split('"""')[0].splitlines()
    place = {name: number for number, line in enumerate(wings) for name in line.split()}
    named = {node: names.split(", ") for node, names in re.findall(r'(\w+)\["(.+?)"\]', drawing)}
    arrows = [pair for line in drawing.splitlines() for pair in pairwise(re.sub(r"\[.*?\]", "", line).split("-->"))]
    assert len(arrows) > 10
    for above, below in ((start.strip(), end.strip()) for start, end in arrows):
        tops, bottoms = named.get(above, [above]), named.get(below, [below])
        files = [path for top in tops for path in (ROOT / "framework").glob(f"{top}*/**/*.py")]
        files += [path for top in tops for path in (ROOT / "framework").glob(f"{top}.py")]
        imports = re.compile(rf"framework(\.| import )({'|'.join(bottoms)})\b")
        assert any(imports.search(path.read_text()) for path in files), f"nothing is imported: {above} --> {below}"
        assert max(place[name] for name in bottoms) <= min(place[name] for name in tops), f"{above} --> {below}"


def test_every_store_is_in_the_docs() -> None:
    text = text_of("docs/reference/backends/index.md")
    rows = re.findall(r"^\| .+ \| `(\w+)` \| (?:`(\w+)`|none) \|", text, re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(SHORT_NAMES)
    extras = tomllib.loads(text_of("pyproject.toml"))["project"]["optional-dependencies"]
    assert {extra for _, extra in rows if extra} <= set(extras)
    twins = re.findall(r"^\| `(airflow\.[\w.]+)` \| `(\w+)` \|", text, re.MULTILINE)
    assert dict(twins) == AIRFLOW_TWINS


def test_every_error_is_in_the_docs() -> None:
    text = text_of("docs/reference/errors.md")
    for name, error in vars(errors).items():
        if isinstance(error, type) and issubclass(error, errors.FrameworkError):
            assert f"`{name}`" in text, name


def test_every_type_of_a_schema_is_in_the_docs() -> None:
    text = text_of("docs/guides/schema.md")
    for name in TYPES:
        assert f"`{name}`" in text, name


def test_every_sensitive_name_is_in_the_docs() -> None:
    text = text_of("docs/explanation/masking.md")
    for name in SENSITIVE_NAMES:
        assert f"`{name}`" in text, name


def test_every_spelling_is_in_the_docs() -> None:
    text, names = text_of("docs/reference/names.md"), Names("billing")
    spelled = [
        *(names.option("server", "port", form) for form in ("plain", "cmd", "secret", "file")),
        *(names.home, names.config, names.env, names.cfg(), names.database()),
        *(names.connection("warehouse"), names.variable("vat"), names.secret("smtp-password")),
        names.backend_kwarg() + "URL",
    ]
    for name in spelled:
        assert f"`{name}`" in text, name


def test_every_difference_to_airflow_is_in_the_docs() -> None:
    rules = tomllib.loads(text_of("tests/conformance/differences.toml"))["rule"]
    documented = words_of(text_of("docs/reference/airflow-differences.md"))
    missing = [rule["name"] for rule in rules if words_of(rule["name"]) not in documented]
    assert not missing, "docs/reference/airflow-differences.md says nothing of:\n" + "\n".join(missing)


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{name_of(page)} leads to {target}"
        assert not anchor or anchor in anchors_of(file), f"{name_of(page)} leads to {target}"


def prose_of(page: Path) -> Iterator[tuple[int, str]]:
    """The lines of a page outside its blocks, with their numbers."""
    fence = ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        marks = re.match(r" *(`{3,})", line)
        if marks:
            fence = "" if fence == marks[1] else fence or marks[1]
        elif not fence:
            yield number, line


@pytest.mark.parametrize("page", MARKDOWN, ids=name_of)
def test_lines_are_wrapped_at_120(page: Path) -> None:
    """A row of a table cannot be wrapped."""
    long = [number for number, line in prose_of(page) if len(line) > 120 and not line.startswith("|")]
    assert not long, f"{name_of(page)}: wrap the lines {long}"


@pytest.mark.parametrize("page", MARKDOWN, ids=name_of)
def test_no_page_installs_the_package_of_another_project(page: Path) -> None:
    """The name `framework` on the public index is not ours: a wheel or a checkout is installed by its path."""
    found = re.findall(r"pip install [^\n&]*(?<![\w./-])framework(?![\w./-])[^\n&]*", page.read_text(encoding="utf-8"))
    assert not found, f"{name_of(page)}: {found}"


def test_no_example_depends_on_another_projects_package() -> None:
    for path in ROOT.glob("examples/*/pyproject.toml"):
        wanted = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {}).get("dependencies", [])
        assert not [name for name in wanted if re.match(r"framework\b", name)], name_of(path)


def test_decisions_have_numbers_without_gaps_a_status_and_a_date() -> None:
    records = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    assert [record.name[:5] for record in records] == [f"{number:04d}-" for number in range(1, len(records) + 1)]
    rows = []
    for record in records:
        opening = re.match(
            r"# (?P<title>.+)\n\nStatus: (?P<status>proposed|accepted|superseded by \d{4}), (?P<date>[\d-]+)\.\n",
            record.read_text(encoding="utf-8"),
        )
        assert opening, f"{name_of(record)} begins with its title, then: Status: accepted, YYYY-MM-DD."
        date.fromisoformat(opening["date"])
        number = record.name[:4]
        rows.append(f"| {number} | [{opening['title']}]({record.name}) | {opening['status']}, {opening['date']} |")
    listed = [line for line in text_of("docs/decisions/README.md").splitlines() if line.startswith("| 0")]
    assert listed == rows, "write these rows:\n" + "\n".join(rows)


def test_pages_that_the_code_names_exist() -> None:
    for path in (ROOT / "framework").rglob("*.py"):
        for page in re.findall(r"\bdocs/[\w/-]+\.\w+", path.read_text(encoding="utf-8")):
            assert (ROOT / page).exists(), f"{name_of(path)} names {page}"


def test_every_page_can_be_reached() -> None:
    seen, todo = set[Path](), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            links = re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8"))
            todo += [(page.parent / link).resolve() for link in links if "://" not in link]
    unreached = [name_of(page) for page in PAGES if page not in seen]
    assert not unreached


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) < 120


def test_the_readmes_two_commands_do_all_the_setting_up() -> None:
    """`.ci/run` runs the second one; the first one's last step is a snippet of the page."""
    commands = [block.text.strip() for block in blocks_of(ROOT / "README.md") if block.language == "sh"]
    assert len(commands) == 2
    extras = tomllib.loads(text_of("pyproject.toml"))["project"]["optional-dependencies"]
    for command, ends in zip(commands, ("--project examples/billing dump", "-m pytest"), strict=True):
        made, installed, runs = command.split(" && ")
        assert made == "python -m venv .venv"
        extra = re.fullmatch(r"\.venv/bin/pip install -e '\.\[([\w,]+)\]'", installed)
        assert extra is not None
        assert set(extra[1].split(",")) <= set(extras)
        assert runs.startswith(".venv/bin/python ")
        assert runs.endswith(ends)


def main(words: list[str]) -> int:
    if words[0] == "--here":
        os.umask(0o077)
        return session(Path(words[1]))
    python = os.path.abspath(words[1]) if words[0] == "--python" else ""
    with tempfile.TemporaryDirectory() as folder:
        done = run_in(Path(folder).resolve(), Path(words[-1]).resolve(), python)
        print(done.stdout + done.stderr)
        return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
