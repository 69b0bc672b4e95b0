"""For PyInstaller, which finds it by our entry point: what a frozen application must hold of us."""

from __future__ import annotations

import os


def hook_dirs() -> list[str]:
    """Where the hook is."""
    return [os.path.dirname(__file__)]
