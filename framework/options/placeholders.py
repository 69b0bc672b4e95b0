"""For a build without secrets: a pointer that leads nowhere stands for a made-up text, and says so."""

from __future__ import annotations

from framework.errors import PointerError, warn
from framework.options.pointers import Pointers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.options.values import Mention


class Placeholders(Pointers):
    """Pointers of an application with `missing_secrets="placeholder"`.

    Options that a link is built from have no placeholder: with one, the link would ask a store that does not exist.
    """

    def follow(self, mention: Mention, max_level: int | None, *, show_reference: bool = True) -> tuple[str, str | None]:
        try:
            return super().follow(mention, max_level, show_reference=show_reference)
        except PointerError as fault:
            if max_level is not None:
                raise
            message = f"{fault}"
        section, key = mention.section, mention.key
        warn(f"{message} A placeholder is used for [{section}] {key}, because missing_secrets = placeholder.")
        return f"missing-secret-{section}-{key}", None
