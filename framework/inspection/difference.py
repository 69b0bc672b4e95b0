"""How two sides of a configuration differ."""

from __future__ import annotations

from framework.errors import ConfigError
from framework.inspection.snapshot import Entry, Snapshot, digest_into, key_id_of, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: same, different, only on the left, only on the right, not known to be the same.
SAME, DIFFERENT, LEFT, RIGHT, UNKNOWN = "=", "~", "<", ">", "?"


class Difference:
    """One option on two sides.

    Attributes:
        state: `=` same, `~` different, `<` or `>` on one side only, `?` not known.
        section, key: the option.
        left, right: its entries, or None.
        why: why it is not known, or empty.
    """

    __slots__ = ("state", "section", "key", "left", "right", "why")

    def __init__(
        self, state: str, name: tuple[str, str], left: Entry | None, right: Entry | None, why: str = ""
    ) -> None:
        self.state, self.left, self.right, self.why = state, left, right, why
        self.section, self.key = name


def differences(left: Snapshot, right: Snapshot, key: bytes | None = None) -> Iterator[Difference]:
    """Every option of two sides, in the order of the left one.

    Args:
        key: that of a snapshot with digests of secrets.

    Raises:
        ConfigError: the sides are of different applications, or the key is another.
    """
    if left.app != right.app:
        what = f"{left.name} is of the application {left.app!r}, and {right.name} of {right.app!r}"
        raise ConfigError(what, where="diff", hint="Compare two sides of one application.")
    for side in (left, right):
        if side.key_id is not None and key is not None and side.key_id != key_id_of(key):
            raise ConfigError("it was taken with another key", where=side.name, hint="Pass its --key-file.")
    for name in dict.fromkeys((*left.entries, *right.entries)):
        one, other = left.entries.get(name), right.entries.get(name)
        if one is None or other is None:
            yield Difference(RIGHT if one is None else LEFT, name, one, other)
        else:
            if left.resolved != right.resolved and {one.form, other.form} != {"plain"}:
                state, why = UNKNOWN, "on one side the pointer was followed, on the other not: use --resolve for both"
            elif one.form != other.form and not left.resolved:
                state, why = DIFFERENT, ""
            else:
                state, why = _compared(left.app, name, one, other, key)
            yield Difference(state, name, one, other, why)


def _compared(app: str, name: tuple[str, str], one: Entry, other: Entry, key: bytes | None) -> tuple[str, str]:
    fails = one.fails or other.fails
    if fails:
        return UNKNOWN, fails
    if one.reference is not None and other.reference is not None:
        return (SAME if one.reference == other.reference else DIFFERENT), ""
    if one.has_value and other.has_value:
        return (SAME if written(one.value) == written(other.value) else DIFFERENT), ""
    for entry in (one, other):
        digest_into(entry, app, name, key)
    if one.digest is None or other.digest is None or one.keyed != other.keyed:
        return UNKNOWN, "the snapshot holds no fingerprint of this secret: take it, and compare, with --key-file"
    return (SAME if one.digest == other.digest else DIFFERENT), ""
