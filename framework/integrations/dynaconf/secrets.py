"""Fills settings whose text is `@secret NAME` from the chain: `settings.DB.PASSWORD` is then the secret itself.

    LOADERS_FOR_DYNACONF = ["dynaconf.loaders.env_loader", "framework.integrations.dynaconf.secrets"]

    [default.db]
    password = "@secret smtp-password"

What follows `@secret` is what a `_secret` pointer holds: `name[?version=V][#/json/pointer]`. This loader must be the
last one, so that it sees what the others have loaded. All secrets are fetched together, and are masked from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from framework.errors import BackendUnavailable, FrameworkError, PointerError, SettingsError, public
from framework.integrations.dynaconf import application
from framework.masking import add_mask
from framework.options.references import Reference, parse_reference, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from framework.app import App

_TOKEN = "@secret "
#: Names that lead to a value inside the settings: `("DB", "PASSWORD")`.
Trail = tuple[Any, ...]


@public
def load(obj: Any, env: str | None = None, silent: bool | None = None, key: str | None = None, **_: object) -> None:
    """Called by dynaconf.

    Args:
        obj: the settings.
        env, silent: not used: a secret that is missing is never passed over.
        key: only this setting.

    Raises:
        PointerError: a secret is missing, or a link failed.
        SettingsError: several are; all of them are named.
    """
    found = list(_references(obj.store, (), key))
    if not found:
        return
    values, faults = _fetched(application(), found)
    if faults:
        raise faults[0] if len(faults) == 1 else SettingsError("dynaconf", faults)
    for place, name, value in values:
        add_mask(value)
        place[name] = value


def _references(inside: Any, trail: Trail, key: str | None) -> Iterator[tuple[Any, Any, Trail, str]]:
    """The container, the key in it, the trail and the reference of each value that is one."""
    pairs = list(inside.items()) if isinstance(inside, dict) else list(enumerate(inside))
    for name, value in pairs:
        if key is not None and str(name).upper() != key.upper():
            continue
        if isinstance(value, str) and value.startswith(_TOKEN):
            yield inside, name, (*trail, name), value.removeprefix(_TOKEN).strip()
        elif isinstance(value, (dict, list)):
            yield from _references(value, (*trail, name), None)


def _fetched(
    app: App, found: Sequence[tuple[object, object, Trail, str]]
) -> tuple[list[tuple[Any, Any, str]], list[FrameworkError]]:
    from framework.chain.runner import Runner

    faults: list[FrameworkError] = []
    wanted: list[tuple[Any, Any, Trail, Reference]] = []
    allowed = app.conf.getboolean("secrets", "allow_token_like_names")
    for place, name, trail, text in found:
        try:
            wanted.append((place, name, trail, parse_reference(text, allow_token_like=allowed)))
        except ValueError as fault:
            hint = "Write @secret name[?version=V][#/json/pointer]."
            faults.append(PointerError(str(fault), where=_place(trail), hint=hint))
    seconds, workers = (app.conf.value("secrets", key) for key in ("resolve_timeout_seconds", "max_workers"))
    late = BackendUnavailable(
        f"there was no answer within {seconds:g} s", hint="See [secrets] resolve_timeout_seconds."
    )
    answers: dict[tuple[str, str | None], Any] = {}
    names = list(dict.fromkeys((reference.name, reference.version) for *_, reference in wanted))
    app.chain.collect(names, Runner(workers, seconds, late.again), answers)
    values: list[tuple[Any, Any, str]] = []
    for place, name, trail, reference in wanted:
        answer = answers[reference.name, reference.version]
        if isinstance(answer, FrameworkError):
            where = f"{answer.where}: " if answer.where else ""
            faults.append(PointerError(f"{where}{answer.what}", where=_place(trail), hint=answer.hint))
            continue
        if isinstance(answer, Exception):
            raise answer
        value, link = answer
        try:
            values.append((place, name, value if reference.part is None else part_of(value, reference.part)))
        except ValueError as fault:
            what = f"the secret {reference.name!r} of {link}: {fault}"
            faults.append(PointerError(what, where=_place(trail), hint="Correct the reference."))
    return values, faults


def _place(trail: Trail) -> str:
    return "dynaconf setting " + ".".join(str(name) for name in trail)
