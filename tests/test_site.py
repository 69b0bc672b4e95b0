"""The documentation builds as a site without a warning. Its links lead somewhere, and no page needs the network.

It needs the extra `docs` and npm, which fetches mermaid.js: docs/diagrams.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: Attributes by which a page loads something, as opposed to `href` of a link that a reader may follow.
LOADS = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"), ("object", "data")}


def diagrams_missing() -> str:
    spec = spec_from_file_location("diagrams", ROOT / "docs" / "diagrams.py")
    assert spec is not None and spec.loader is not None
    diagrams = module_from_spec(spec)
    spec.loader.exec_module(diagrams)
    return str(diagrams.missing())


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The built site."""
    absent = [package for package in ("sphinx", "myst_parser", "furo", "sphinx_copybutton") if not find_spec(package)]
    if absent:
        pytest.skip(f"the extra docs is not installed: there is no {', '.join(absent)}")
    if reason := diagrams_missing():
        pytest.skip(reason)
    site = tmp_path / "site"
    flags = ["--fail-on-warning", "--keep-going", "--quiet", "--doctree-dir", str(tmp_path / "doctrees")]
    words = [sys.executable, "-m", "sphinx", *flags, "--conf-dir", str(ROOT / "docs"), str(ROOT), str(site)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    return site


class Page(HTMLParser):
    """What a built page loads, where it leads, and what can be led to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads, self.links, self.anchors = list[str](), list[str](), set[str]()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif (tag, name) in LOADS and value:
                self.loads.append(value)
            elif (tag, name) == ("a", "href") and value:
                self.links.append(value)


def is_elsewhere(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def test_the_site_builds_and_its_pages_need_nothing_from_elsewhere(site: Path) -> None:
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    assert len(pages) > len(list((ROOT / "docs").rglob("*.md"))), "a page of docs/ is missing"
    faults = []
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        faults += [f"{name} loads {url}" for url in page.loads if is_elsewhere(url)]
        for url in (*page.loads, *page.links):
            parts = urlsplit(url)
            target = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
            if is_elsewhere(url) or parts.scheme == "data":
                continue
            if not target.is_file():
                faults.append(f"{name} leads to {url}, which does not exist")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                faults.append(f"{name} leads to {url}, which has no such heading")
    styles = (path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not faults, "\n".join(sorted(set(faults)))
    assert not any("url(http" in text or "url(//" in text or "@import" in text for text in styles)
    assert "precedence" in (site / "searchindex.js").read_text(encoding="utf-8"), "the search finds no text of a page"
    with_diagram = [page for page in pages if 'class="mermaid"' in page.read_text(encoding="utf-8")]
    assert with_diagram and all(any("mermaid.min.js" in url for url in pages[page].loads) for page in with_diagram)
