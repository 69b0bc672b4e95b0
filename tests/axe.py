"""Fetches axe-core, which checks the accessibility of pages, from its npm package, once. It is kept in build/."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

VERSION = "4.10.3"
#: `npm view axe-core@VERSION dist.integrity` prints this.
INTEGRITY = "sha512-Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg=="
_KEPT = Path(__file__).resolve().parents[1] / "build" / "axe" / VERSION / "axe.min.js"


def source() -> str:
    """The script; skips the test where it cannot be fetched."""
    if not _KEPT.exists():
        if shutil.which("npm") is None:
            pytest.skip(f"npm is not installed; it fetches axe-core {VERSION}")
        _KEPT.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_KEPT.parent) as scratch:
            _fetch(Path(scratch)).replace(_KEPT)
    return _KEPT.read_text()


def _fetch(scratch: Path) -> Path:
    subprocess.run(
        ["npm", "pack", "--silent", f"axe-core@{VERSION}"], cwd=scratch, check=True, stdout=subprocess.DEVNULL
    )
    package = scratch / f"axe-core-{VERSION}.tgz"
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    assert f"sha512-{digest}" == INTEGRITY, "this is not the package that tests/axe.py pins"
    with tarfile.open(package) as archive:
        content = archive.extractfile("package/axe.min.js")
        assert content is not None
        (scratch / "axe.min.js").write_bytes(content.read())
    return scratch / "axe.min.js"
