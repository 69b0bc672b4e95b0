"""Unions of classes that can be distinguished: by the tag of a `msgspec.Struct`, or by a field of type `Literal`.

backend: Local | Remote     # each with a field such as kind: Literal["local"]
"""

from __future__ import annotations

from framework.binding.kinds import fields_of, origin_of
from framework.binding.marks import marks_of
from framework.convert import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def own_tag(cls: type) -> tuple[str, str]:
    """The key in which a tagged `msgspec.Struct` has its tag, and the tag; both are empty for other classes."""
    config = getattr(origin_of(cls), "__struct_config__", None)
    return ("", "") if config is None or config.tag is None else (str(config.tag_field), to_text(config.tag))


def tags_of(classes: Iterable[type]) -> tuple[str, dict[str, type]] | None:
    """The key that selects the class, and the class of each value; None if there is no such key."""
    found: list[tuple[type, dict[str, list[str]]]] = [(cls, _candidates(cls)) for cls in classes]
    for key in found[0][1]:
        pairs = [(tag, cls) for cls, candidates in found for tag in candidates.get(key, ())]
        if len(dict(pairs)) == len(pairs) and all(key in candidates for _, candidates in found):
            return key, dict(pairs)
    return None


def _candidates(cls: type) -> dict[str, list[str]]:
    """The keys whose values may distinguish a class, with these values."""
    from typing import get_args

    field_name, tag = own_tag(cls)
    if field_name:
        return {field_name: [tag]}
    return {
        field.key: [to_text(word) for word in get_args(bare)]
        for field in fields_of(cls)
        if getattr(getattr((bare := marks_of(field.annotation)[0]), "__origin__", None), "_name", "") == "Literal"
    }
