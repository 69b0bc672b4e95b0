"""The names that every link can list, and who shadows whom. No value is read."""

from __future__ import annotations

from time import monotonic, time

from framework.chain.level import ENVIRONMENT
from framework.chain.runner import Runner, beside, outcome_of
from framework.errors import BackendUnavailable, FrameworkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from framework.app import App
    from framework.chain.link import Link

#: What names of a kind are called, one and several.
WORDS = {
    "connection": ("connection", "connections"),
    "variable": ("variable", "variables"),
    "config": ("config secret", "config secrets"),
}


class LinkNames:
    """What one link says when it is asked for its names of one kind.

    Attributes:
        link: which one.
        kind: connection, variable or config.
        names: as the link spells them, sorted, each once; None if they are not known.
        failure: why it could not say, or None.
        seconds: how long that took.
        at: when that was, in seconds since 1970.
    """

    __slots__ = ("link", "kind", "names", "failure", "seconds", "at")

    def __init__(self, link: Link, kind: str) -> None:
        self.link, self.kind = link, kind
        self.names: list[str] | None = None
        self.failure: FrameworkError | None = None
        self.at, began = time(), monotonic()
        try:
            names = names_of(link, kind)
            self.names = None if names is None else sorted(set(names))
        except FrameworkError as fault:
            self.failure = fault
        self.seconds = monotonic() - began


class Listed:
    """One name in one link.

    Attributes:
        name: as the link spells it.
        link: whose it is.
        shadowed_by: the name of the link that is asked first and has it too, or None.
        shadows: the names of the later links that have it too.
        unsure: the names of the earlier links that may have it too, for they could not be listed.
    """

    __slots__ = ("name", "link", "shadowed_by", "shadows", "unsure")

    def __init__(self, name: str, link: Link, shadowed_by: str | None, unsure: tuple[str, ...]) -> None:
        self.name, self.link, self.shadowed_by, self.unsure = name, link, shadowed_by, unsure
        self.shadows: list[str] = []


def listing(app: App, kind: str) -> list[LinkNames]:
    """The names of one kind in every link, in the order of the search. Links that may hang are asked side by side."""
    from functools import partial

    links = app.chain.visible(kind)
    outcomes = []
    for outcome in beside([partial(LinkNames, link, kind) for link in links], [link.may_hang for link in links]):
        if isinstance(outcome, Exception):
            raise outcome
        outcomes.append(outcome)
    return outcomes


def entries(listed: Iterable[LinkNames], prefix: str = "") -> list[Listed]:
    """Every name in every link, sorted by name; those of one name stay in the order of the search.

    Args:
        listed: by link, in the order of the search.
        prefix: only names that start with this.
    """
    found: list[Listed] = []
    first: dict[str, Listed] = {}
    of_environment: dict[str, Listed] = {}  # by upper case: the names of variables are
    unsure: tuple[str, ...] = ()
    for one in listed:
        for name in one.names or ():
            if not name.startswith(prefix):
                continue
            winner = first.get(name)
            if winner is None and of_environment:
                winner = of_environment.get(name.upper())
            entry = Listed(name, one.link, None if winner is None else winner.link.name, unsure)
            if winner is None:
                first[name] = entry
                if one.link.role == ENVIRONMENT:
                    of_environment[name.upper()] = entry
            else:
                winner.shadows.append(one.link.name)
            found.append(entry)
        if one.names is None:
            unsure = (*unsure, one.link.name)
    found.sort(key=lambda entry: entry.name)
    return found


def asked(
    app: App, kind: str, listed: list[Listed], seconds: float, progress: Callable[[int], None] = lambda number: None
) -> list[Any]:
    """What each link has under each of these names, or the error that it raises, in order.

    Links that may hang are asked side by side, `[secrets] max_workers` at a time.

    Args:
        listed: the names, each with its link.
        seconds: how long all of them together may take.
        progress: called with 1 for each question to such a link that is answered.
    """
    late = BackendUnavailable(
        f"there was no answer within {seconds:g} s", hint="See [secrets] resolve_timeout_seconds."
    )

    def question(entry: Listed) -> Callable[[], object]:
        return lambda: entry.link.ask(kind, entry.name)

    apart = [number for number, entry in enumerate(listed) if entry.link.may_hang]
    outcomes: dict[int, object] = {}
    if apart:
        runner = Runner(app.conf.value("secrets", "max_workers"), seconds, late.again, progress)
        answers = runner.run([question(listed[number]) for number in apart])
        outcomes.update(zip(apart, answers, strict=True))
    for number, entry in enumerate(listed):
        if number not in outcomes:
            outcomes[number] = outcome_of(question(entry))
    for outcome in outcomes.values():
        if isinstance(outcome, Exception) and not isinstance(outcome, FrameworkError):
            raise outcome
    return [outcomes[number] for number in range(len(listed))]


def names_of(link: Link, kind: str) -> list[str] | None:
    """The names that a link lists, None if it cannot list what it serves.

    Raises:
        SecretsError: denied, unavailable or invalid.
        BackendError: the link cannot be built.
    """
    return link.names_if_listed(kind) if link.serves(kind) else []


def cannot_list(link: Link, kind: str) -> str:
    return f"the link {link.name} cannot list its {WORDS[kind][1]}"


def holder(names: list[str], link: Link) -> Callable[[str], bool]:
    """Whether a link that lists these names has a name: names of variables are upper case."""
    if link.role != ENVIRONMENT:
        return set(names).__contains__
    upper = {name.upper() for name in names}
    return lambda name: name.upper() in upper
