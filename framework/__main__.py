"""`python -m framework`."""

from __future__ import annotations

from framework.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
