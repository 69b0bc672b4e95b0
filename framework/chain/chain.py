"""The search: custom backends, then the environment, then the metastore; the first match wins.

There are two orders. The *search* goes custom -> environment -> metastore. The *levels* give the build order: the
environment (0) uses no other link, a custom backend (1, 2, …) may use the environment and the custom backends before
it, the metastore may use all. While a link is built or asked, only links with a lower level are visible, so no lookup
waits for itself.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import monotonic

from framework.chain.batches import ask_many
from framework.chain.level import CUSTOM, ENVIRONMENT, HIGHEST, METASTORE, at_work, is_restricted
from framework.chain.link import Link
from framework.chain.runner import beside
from framework.errors import (
    AccessDenied,
    BackendError,
    FrameworkError,
    InvalidSecret,
    IssuedOnUse,
    NotFound,
    SecretsError,
)
from framework.logs import DEBUG, log, log_and_warn
from framework.masking import REPLACEMENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar

    from framework.chain.batches import VersionedName
    from framework.chain.runner import Runner
    from framework.connection import Connection

    Result = TypeVar("Result")
    #: Config secrets -> the value and the link that has it, or the error.
    Collection = dict[VersionedName, tuple[Any, str] | Exception]

#: The answers that a chain has collected for this context.
_collected: ContextVar[tuple[Chain | None, Collection]] = ContextVar("framework_collected", default=(None, {}))


class Chain:
    """The links, and the one rule of search and failure.

    Args:
        links: in the order of the search.
        on_failure: `stop` or `next`: what an unavailable or invalid link means for connections and variables.
        config_links: the only links that may answer for config secrets, or empty for all.
        note: a sentence for the error when nothing is found.

    Attributes:
        links: all of them, in the order of the search.
        custom: the application's own backends, which are asked first.
        unshown: names of config secrets that `stats` must not show.
    """

    def __init__(
        self,
        links: Iterable[Link],
        *,
        on_failure: Callable[[], str],
        config_links: Callable[[], list[str]],
        note: Callable[[], str] = str,
    ) -> None:
        self.links = list(links)
        for link in self.links:
            link.chain = self
        self._on_failure, self._config_links, self._note = on_failure, config_links, note
        self.unshown: set[str] = set()

    @property
    def custom(self) -> list[Link]:
        """The application's own backends."""
        return [link for link in self.links if link.role == CUSTOM]

    @property
    def environment(self) -> Link:
        """The link to the environment variables."""
        return next(link for link in self.links if link.role == ENVIRONMENT)

    @property
    def metastore(self) -> Link:
        """The link to the database; raises StopIteration for a worker, which has none."""
        return next(link for link in self.links if link.role == METASTORE)

    def before_the_metastore(self) -> list[Link]:
        """The links that are asked before the metastore, so that their values shadow its values."""
        return [link for link in self.links if link.role != METASTORE]

    def connection(
        self, conn_id: str, since: float | None = None, other: tuple[str, str] | None = None
    ) -> tuple[Connection, str]:
        """The connection and the link that has it.

        Args:
            conn_id: its name.
            since: see `Link.ask`.
            other: a link and a version, see `other_versions`: that link alone is asked for that version.

        Raises:
            ConnectionNotFound: every link was asked.
            SecretsError: a link failed.
        """
        link, version = other or (None, None)
        return self._search("connection", conn_id, version, since=since, only=link)

    def other_versions(self, name: str) -> list[tuple[str, str]]:
        """The versions of a connection that a server may have while its password is rotated, as (link, version)."""
        backend = next((link.backend for link in self.links if link.name == name), None)
        if not hasattr(backend, "get_connection_version"):
            return []
        return [(name, version) for version in getattr(backend, "other_versions", ())]

    def variable(self, key: str, since: float | None = None) -> tuple[Any, str]:
        """The variable's value and the link that has it.

        Args:
            key: its name.
            since: see `Link.ask`.

        Raises:
            VariableNotFound: every link was asked.
            SecretsError: a link failed.
        """
        return self._search("variable", key, since=since)

    def config(
        self, name: str, *, version: str | None = None, max_level: int | None = None, since: float | None = None
    ) -> tuple[str, str]:
        """The config secret's value and the link that has it.

        Args:
            name: the secret's name.
            version: only links that keep versions are asked for one.
            max_level: only levels below this number are asked.
            since: see `Link.ask`.

        Raises:
            NotFound: every link was asked.
            SecretsError: a link failed.
        """
        mine, collected = _collected.get()
        is_collected = mine is self and max_level is None and not is_restricted()
        known = collected.get((name, version)) if is_collected else None
        if isinstance(known, Exception):
            raise known
        value, link = self._search("config", name, version, max_level, since) if known is None else known
        if not isinstance(value, str):
            raise InvalidSecret("the value is not text", where=f"{link}: config {name!r}", hint="Store it as text.")
        return value, link

    def collect(
        self, wanted: list[VersionedName], runner: Runner, collected: Collection, since: float | None = None
    ) -> None:
        """Ask for many config secrets at once, link by link.

        Args:
            wanted: names and versions, each once.
            runner: makes the calls side by side.
            collected: is filled with the answers.
            since: see `Link.ask`.
        """
        links = self.visible("config")
        for link in links:
            missing = [secret for secret in wanted if secret not in collected]
            if not missing:
                return
            try:
                askable = [secret for secret in missing if secret[1] is None or link.keeps_versions]
                outcomes = ask_many(link, askable, runner, since)
            except FrameworkError as fault:  # it cannot be built, so the links after it must not answer either
                askable, outcomes = missing, [fault.again() for _ in missing]
            for secret, outcome in zip(askable, outcomes, strict=True):
                if isinstance(outcome, Exception):
                    collected[secret] = outcome
                elif outcome is not None:
                    self._log_look_up("config", secret[0], link)
                    collected[secret] = (outcome, link.name)
        for name, version in (secret for secret in wanted if secret not in collected):
            asked = [link for link in links if version is None or link.keeps_versions]
            collected[name, version] = self._absent("config", name, version, asked, None)

    def visible(self, kind: str, max_level: int | None = None) -> list[Link]:
        """The links that may be asked from here, in search order."""
        ceiling = self._ceiling(max_level)
        links = self.links if ceiling > HIGHEST else [link for link in self.links if link.level < ceiling]
        if kind == "config" and (names := self._config_links()):
            self._check_names(names)
            named = {name.lower() for name in names}
            links = [link for link in links if link.name.lower() in named]
        return links

    def hides_links(self, max_level: int | None) -> bool:
        """Whether fewer links may be asked from here than elsewhere, because a link is at work."""
        return is_restricted() and (max_level is None or self._ceiling(max_level) < max_level)

    def _ceiling(self, max_level: int | None) -> int:
        ceiling = at_work.get({}).get(self, HIGHEST + 1)
        return ceiling if max_level is None else min(ceiling, max_level)

    def _search(
        self,
        kind: str,
        key: str,
        version: str | None = None,
        max_level: int | None = None,
        since: float | None = None,
        only: str | None = None,
    ) -> tuple[Any, str]:
        links = self.visible(kind, max_level)
        if only is not None:
            links = [link for link in links if link.name == only]
        elif version is not None:
            links = [link for link in links if link.keeps_versions]
        failure: SecretsError | None = None
        for link in links:
            try:
                value = self.ask(link, kind, key, version, since)
            except AccessDenied:
                raise
            except SecretsError as fault:
                if kind == "config" or version is not None or self._on_failure() != "next":
                    raise
                log_and_warn(f"{str(fault).rstrip('.')}. The next link is asked, because [secrets] on_failure = next.")
                failure = fault
                continue
            if value is not None:
                self._log_look_up(kind, key, link)
                return value, link.name
        self._log_look_up(kind, key, None)
        if failure is not None:
            raise failure
        raise self._absent(kind, key, version, links, max_level)

    def ask(self, link: Link, kind: str, key: str, version: str | None, since: float | None) -> object:
        """What one link answers."""
        return link.ask(kind, key, version, None, since)

    def _log_look_up(self, kind: str, key: str, link: Link | None) -> None:
        where = "nowhere" if link is None else f"in the link {link.name}"
        log(DEBUG, "%s %r: found %s", kind, REPLACEMENT if key in self.unshown else key, where)

    def _absent(self, kind: str, key: str, version: str | None, asked: list[Link], max_level: int | None) -> NotFound:
        from framework.chain.places import not_found

        allowed = self._config_links() if kind == "config" else []
        ceiling = self._ceiling(max_level)
        return not_found(kind, key, version, asked, self.links, ceiling=ceiling, allowed=allowed, note=self._note())

    def _check_names(self, names: list[str]) -> None:
        known = [link.name for link in self.links]
        for name in names:
            if name.lower() not in map(str.lower, known):
                raise BackendError(
                    f"config_links names {name!r}, which is not a link",
                    where="[secrets] config_links",
                    hint=f"The links are {', '.join(known)}.",
                )

    def explain(
        self,
        kind: str,
        key: str,
        since: float | None = None,
        report: Callable[[str, str], object] = lambda link, state: None,
    ) -> list[tuple[str, str]]:
        """Every link with its state: `found`, `shadowed`, why it has no value, or its failure. Shows no value.

        Args:
            since: see `Link.ask`.
            report: called with each link and its state as soon as it answers; `has it` is found or shadowed.
        """
        from framework.chain.states import age_of, failed, state_of

        def question(link: Link) -> str:
            try:
                state = state_of(link, kind, key, since)
            except FrameworkError as fault:
                report(link.name, failed(fault))
                raise
            report(link.name, state or "has it")
            return state

        rows, found, began = [], False, monotonic()
        links = self.visible(kind)
        for link, outcome in zip(links, each(links, question), strict=True):
            if isinstance(outcome, IssuedOnUse):
                state, found = ("shadowed" if found else "found") + ", issued on use", True
            elif isinstance(outcome, FrameworkError):
                state = failed(outcome)
            elif outcome:
                state = outcome
            else:
                state, found = ("shadowed" if found else "found") + age_of(link, kind, key, monotonic() - began), True
            rows.append((link.name, state))
        return rows

    def age(self, link_name: str, name: str, version: str | None) -> float:
        """How many seconds ago a link was asked for the config secret that it keeps; 0 if it keeps none."""
        ages = (link.cache.age(("config", name, version)) for link in self.custom if link.name == link_name)
        return next(ages, None) or 0.0

    def list_names(self, kind: str) -> list[str]:
        """The names of one kind that the links can list, sorted, each once.

        Raises:
            SecretsError: a link failed.
        """
        outcomes = each(self.links, lambda link: link.list_names(kind))
        found: set[str] = set()
        for outcome in outcomes:
            if isinstance(outcome, FrameworkError):
                raise outcome
            found.update(outcome)
        return sorted(found)

    def stats(self) -> list[dict[str, object]]:
        """For each of the application's own links: calls, hits, absent answers, failures, logins, most missed names."""
        from framework.chain.states import stats_of

        return [stats_of(link, self.unshown) for link in self.custom]

    def shadowing(self, kind: str, key: str) -> tuple[str | None, list[FrameworkError]]:
        """The name of a link before the metastore that has the key, or None; and the failures of the others."""
        from framework.chain.states import has

        links = self.before_the_metastore()
        outcomes = each(links, lambda link: has(link, kind, key))
        shadows = (link.name for link, outcome in zip(links, outcomes, strict=True) if outcome is True)
        return next(shadows, None), [fault for fault in outcomes if isinstance(fault, FrameworkError)]


class Collected:
    """`with Collected(chain, collected):` in this context the chain answers from what `collect` has filled."""

    __slots__ = ("_pair", "_token")

    def __init__(self, chain: Chain, collected: Collection) -> None:
        self._pair = (chain, collected)

    def __enter__(self) -> None:
        self._token = _collected.set(self._pair)

    def __exit__(self, *_: object) -> None:
        _collected.reset(self._token)


def each(links: list[Link], question: Callable[[Link], Result]) -> list[Result | FrameworkError]:
    """For each link the answer to a question, or the FrameworkError that it raises.

    Links that may hang are asked side by side, so that one that hangs does not delay the others.
    """
    from functools import partial

    outcomes: list[Result | FrameworkError] = []
    for outcome in beside([partial(question, link) for link in links], [link.may_hang for link in links]):
        if isinstance(outcome, Exception) and not isinstance(outcome, FrameworkError):
            raise outcome
        outcomes.append(outcome)
    return outcomes
