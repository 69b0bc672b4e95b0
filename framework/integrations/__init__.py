"""Integrations with other libraries: one file or folder for each, imported by its user."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.app import App


def application() -> App:
    """The current application."""
    from framework import current

    app: App = current.app()  # type: ignore[assignment]
    return app
