"""A schema in the form of another tool, translated into ours. What has no counterpart is left out and listed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Trail = tuple[str, ...]


class Translated(dict):  # type: ignore[type-arg]
    """A translated schema, in the shape of ours.

    Attributes:
        origin: the file. `places`: section, `options`, key -> where it is declared.
        unmapped: what has no counterpart here, as (place, what).
        plain: whether defaults mean what they are, without `%`, `$` or placeholders.
    """

    def __init__(self, origin: str) -> None:
        super().__init__()
        self.origin, self.plain = origin, True
        self.places: dict[Trail, str] = {}
        self.unmapped: list[tuple[str, str]] = []

    def add(self, section: str, key: str, option: Mapping[str, object], place: str) -> None:
        """Declare an option, unless its name is not allowed here."""
        parts = [*section.split("."), key]
        if any("__" in part or not part.replace("-", "").replace("_", "").isalnum() for part in parts):
            self.unmapped.append((place, f"[{section}] {key} cannot be the name of an option"))
            return
        options = self.setdefault(section, {}).setdefault("options", {})
        if key.lower() in map(str.lower, options):
            self.unmapped.append((place, f"[{section}] {key} is declared before: the first declaration counts"))
            return
        options[key] = option
        self.places[section, "options", key] = place
