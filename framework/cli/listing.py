"""The names that every link can list, and who shadows whom."""

from __future__ import annotations

from framework.chain.chain import each
from framework.chain.level import ENVIRONMENT
from framework.chain.runner import Runner, outcome_of
from framework.cli.output import OK, print_error, print_note, status_of
from framework.cli.progress import Progress
from framework.errors import BackendUnavailable, FrameworkError
from framework.masking.search import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from framework.app import App
    from framework.chain.link import Link

_PLURALS = {"connection": "connections", "variable": "variables", "config": "config secrets"}


class Listed:
    """One name in one link.

    Attributes:
        name: as the link spells it.
        link: whose it is.
        shadowed_by: the name of the link that is asked first and has it too, or None.
    """

    __slots__ = ("name", "link", "shadowed_by")

    def __init__(self, name: str, link: Link, shadowed_by: str | None) -> None:
        self.name, self.link, self.shadowed_by = name, link, shadowed_by


def listing(app: App, kind: str, prefix: str = "") -> tuple[list[Listed], int]:
    """Every name of one kind in every link that can list, sorted, and the exit status.

    What cannot be listed, and why, is printed to stderr.
    """
    status, found = OK, list[Listed]()
    earlier: list[tuple[str, Callable[[str], bool]]] = []
    links = app.chain.visible(kind)
    for link, names in zip(links, each(links, lambda link: names_of(app, link, kind)), strict=True):
        if isinstance(names, FrameworkError):
            print_error(names)
            status, names = max(status, status_of(names)), []
        elif names is None:
            print_note(f"{cannot_list(link, kind)}; what it has is not shown here")
        for name in sorted(set(names or ())):
            if name.startswith(prefix):
                found.append(Listed(name, link, next((link for link, has in earlier if has(name)), None)))
        earlier.append((link.name, holder(names or [], link)))
    found.sort(key=lambda listed: listed.name)  # stable: the links stay in the order of the search
    return found, status


def asked(app: App, kind: str, listed: list[Listed], seconds: float) -> list[Any]:
    """What each link has under each of these names, or the error that it raises, in order.

    Links that may hang are asked side by side, `[secrets] max_workers` at a time.

    Args:
        listed: the names, each with its link.
        seconds: how long all of them together may take.
    """
    late = BackendUnavailable(
        f"there was no answer within {seconds:g} s", hint="See [secrets] resolve_timeout_seconds."
    )

    def question(entry: Listed) -> Callable[[], Any]:
        return lambda: entry.link.ask(kind, entry.name)

    apart = [number for number, entry in enumerate(listed) if entry.link.may_hang]
    outcomes: dict[int, Any] = {}
    if apart:
        with Progress(f"asking for {counted(len(apart), kind)}", len(apart), "questions") as progress:
            runner = Runner(app.conf.value("secrets", "max_workers"), seconds, late.again, progress.advance)
            answers = runner.run([question(listed[number]) for number in apart])
        outcomes.update(zip(apart, answers, strict=True))
    for number, entry in enumerate(listed):
        if number not in outcomes:
            outcomes[number] = outcome_of(question(entry))
    for outcome in outcomes.values():
        if isinstance(outcome, Exception) and not isinstance(outcome, FrameworkError):
            raise outcome
    return [outcomes[number] for number in range(len(listed))]


def names_of(app: App, link: Link, kind: str) -> list[str] | None:
    """The names that a link lists, None if it cannot list what it serves.

    Raises:
        SecretsError: denied, unavailable or invalid.
        BackendError: the link cannot be built.
    """
    return link.names_if_listed(kind) if link.serves(kind) else []


def cannot_list(link: Link, kind: str) -> str:
    return f"the link {link.name} cannot list its {_PLURALS[kind]}"


def holder(names: list[str], link: Link) -> Callable[[str], bool]:
    """Whether a link that lists these names has a name: names of variables are upper case."""
    if link.role != ENVIRONMENT:
        return set(names).__contains__
    upper = {name.upper() for name in names}
    return lambda name: name.upper() in upper
