"""What does not go together in a schema of the right shape: constraints with types, defaults with both, renames."""

from __future__ import annotations

from framework.options.constraints import fit, limit
from framework.options.types import TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from framework.options.declaration import Option
    from framework.options.shape import Mistake, Trail


def of_options(options: Iterable[tuple[Trail, Option]]) -> Iterator[Mistake]:
    """What does not go together in options of the right shape: constraints with types, defaults with both."""
    for trail, option in options:
        mistakes = list(_of_constraints(trail, option))
        yield from mistakes
        if not mistakes:
            yield from _of_values(trail, option)
        if option.required is True and option.default is not None:
            yield (
                (*trail, "required"),
                "an option that is always required has no use for a default",
                'Remove one of them, or name the environments: required: ["production"].',
            )


def dropped(options: Iterable[tuple[Trail, Option]]) -> Iterator[tuple[str, str]]:
    """Take out of the options what does not go together: of a schema of another tool, which may mean something else.

    Returns:
        What was taken out, as (place, what).
    """
    for trail, option in options:
        for _ in range(2):
            for _, what, _ in of_options([(trail, option)]):
                yield option.place, f"[{option.section}] {option.name}: {what}"
                if option.default is None:  # then it is the constraints themselves
                    option.constraints, option.choices, option.items = {}, None, None
                option.default = None
                break


def _of_constraints(trail: Trail, option: Option) -> Iterator[Mistake]:
    is_list = TYPES[option.type].family == "list"
    if option.items is not None and not is_list:
        yield (*trail, "items"), f"items does not apply to the type {option.type}, only to list and array", ""
    elif option.items is not None and TYPES[option.items].family == "list":
        yield (*trail, "items"), "the items of a list cannot be lists", "Use type: json."
    found: dict[str, Any] = {}
    for name, value in option.constraints.items():
        try:
            found[name] = limit(option.type, name, value)
        except ValueError as fault:
            what = str(fault)
        else:
            continue
        yield (*trail, name), f"{name} {what}" if what.startswith("does not") else f"{name}: {what}", ""
    for low in ("minimum", "exclusive_minimum", "min_length"):
        for high in ("maximum", "exclusive_maximum", "max_length"):
            if low in found and high in found and _is_empty(found[low], found[high], "exclusive" in low + high):
                yield (*trail, high), f"no value is within {low} and {high}", "Correct one of them."


def _is_empty(low: Any, high: Any, exclusive: bool) -> bool:
    try:
        return bool(low >= high if exclusive else low > high)
    except TypeError:  # a time with its offset and one without
        return True


def _of_values(trail: Trail, option: Option) -> Iterator[Mistake]:
    """Choices and defaults that are not values of the option."""
    type_ = option.items or "string" if TYPES[option.type].family == "list" else option.type
    for choice in option.choices or ():
        try:
            TYPES[type_].to(choice)
        except ValueError as fault:
            what = str(fault)
        else:
            continue
        if type_ != "import":  # which is tried when it is asked for
            yield (*trail, "choices"), f"the choice {choice!r} does not fit: {what}", ""
    default = option.default
    if default is None or option.type == "import" or (isinstance(default, str) and any(c in default for c in "%${}~")):
        return  # what it means is not known before it is read
    if option.type == "string" and isinstance(default, (list, tuple, dict)):
        yield (*trail, "default"), "the default does not fit: expected text", "Use type: list or json."
        return
    try:
        fit(option, str(default) if isinstance(default, (bool, int, float)) else default)
    except ValueError as fault:
        what = str(fault)
    else:
        return
    yield (*trail, "default"), f"the default does not fit: {what}", ""


def of_renames(
    trails: Mapping[tuple[str, str], Trail], next_name: Callable[[tuple[str, str]], tuple[str, str] | None]
) -> Iterator[Mistake]:
    """Options whose renames lead back to a name that they had before.

    Args:
        trails: the names of the options, or of the sections, and where they are.
        next_name: what a name is called instead, or None.
    """
    for name, trail in trails.items():
        seen, at = [name], next_name(name)
        while at is not None and at not in seen:
            seen.append(at)
            at = next_name(at)
        if at == name:
            yield (*trail, "renamed_from"), "the renames lead back to the name itself", "Remove one of them."
            return
