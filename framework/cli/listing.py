"""Lists of names as commands show them: what cannot be listed, and why, is printed to stderr."""

from __future__ import annotations

from framework.cli.output import OK, print_error, print_note, status_of
from framework.inspection import listing
from framework.inspection.listing import cannot_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.app import App
    from framework.inspection.listing import Listed


def list_names(app: App, kind: str, prefix: str) -> tuple[list[Listed], int]:
    """Every name of one kind in every link that can list, and the exit status."""
    status, found = OK, listing.listing(app, kind)
    for one in found:
        if one.failure is not None:
            print_error(one.failure)
            status = max(status, status_of(one.failure))
        elif one.names is None:
            print_note(f"{cannot_list(one.link, kind)}; what it has is not shown here")
    return listing.entries(found, prefix), status
