"""The documentation as a site: `tox -e docs`, or the Sphinx command in CONTRIBUTING.md.

The source directory is the repository, so that links between pages work on the site as they do on disk. Navigation is
not written twice: the sections of docs/index.md are its captions, and the links in them its entries.
"""

from __future__ import annotations

import html
import os
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))

import diagrams  # noqa: E402

VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "framework" / "__init__.py").read_text(encoding="utf-8"))
assert VERSION is not None

project = "framework"
version = release = VERSION[1]
author = "the authors of framework"
root_doc = "docs/index"
extensions = ["myst_parser", "sphinx_copybutton"]
include_patterns = ["docs/**.md", "examples/*/README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
exclude_patterns = [".*", "**/.*", "build", "dist", "framework", "tests", "benchmarks", "venv", "node_modules"]

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
myst_links_external_new_tab = False
suppress_warnings = ["misc.highlighting_failure"]  # a block may shorten what it shows with `...`
nitpicky = True

html_theme = "furo"
html_title = f"framework {version}"
html_static_path = ["site/static", os.path.relpath(diagrams.folder(), ROOT / "docs")]
html_extra_path = ["site/root"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = r">>> |\.\.\. |\$ |> "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
linkcheck_anchors = False


class Mermaid(Directive):
    """A diagram: its text, which mermaid.js draws in the reader's browser. Without JavaScript the text stays."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        text = html.escape("\n".join(self.content))
        return [nodes.raw("", f'<pre class="mermaid">{text}</pre>\n', format="html")]


def add_navigation(app: Any, docname: str, source: list[str]) -> None:
    """Every index leads: what it links to below its own folder comes after it in the navigation."""
    page = Path(docname)
    if page.name not in ("index", "README") or page.parts[0] != "docs":
        return
    _, *parts = re.split(r"^## (.+)$", source[0], flags=re.MULTILINE) if docname == root_doc else ("", "", source[0])
    for caption, text in zip(parts[::2], parts[1::2], strict=True):
        links = re.findall(r"\[([^]]+)\]\(([\w./-]+)\.md\)", text.replace("`", ""))
        targets = {os.path.normpath(page.parent / link): name for name, link in reversed(links)}
        entries = "".join(
            f"{name} </{target}>\n"
            for target, name in reversed(targets.items())
            if target != docname and (docname == root_doc or Path(target).parent == page.parent)
        )
        if entries:
            named = f":caption: {caption.partition(':')[0]}\n" if caption else ""
            source[0] += f"\n\n```{{toctree}}\n:hidden:\n{named}\n{entries}```\n"


def add_mermaid(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """mermaid.js is large: only pages with a diagram load it."""
    if 'class="mermaid"' in context.get("body", ""):
        app.add_js_file(diagrams.NAME, loading_method="defer")
        app.add_js_file("diagrams.js", loading_method="defer")


def setup(app: Any) -> None:
    from pygments.lexers.configs import IniLexer

    app.add_lexer("env", IniLexer)
    app.add_directive("mermaid", Mermaid)
    app.connect("source-read", add_navigation)
    app.connect("html-page-context", add_mermaid)
