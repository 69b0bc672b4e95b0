"""Asks one link for many config secrets, in as few calls as its store allows."""

from __future__ import annotations

from time import monotonic

from framework.backends.base import BaseSecretsBackend
from framework.chain.level import AtWork
from framework.chain.link import OF_THE_PROCESS
from framework.chain.runner import Outage, outcome_of
from framework.chain.translate import checked
from framework.errors import SecretsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from framework.chain.link import Link
    from framework.chain.runner import Runner

    VersionedName = tuple[str, str | None]  # a config secret's name and version
    Outcomes = dict[VersionedName, object]  # values, None for absence, exceptions


def ask_many(link: Link, wanted: list[VersionedName], runner: Runner, since: float | None = None) -> list[object]:
    """For each config secret what `link.ask` returns, or the error that it raises.

    Args:
        link: the link to ask.
        wanted: names and versions, each once.
        runner: makes the calls side by side.
        since: see `Link.ask`.
    """
    if not link.is_remote:
        return [outcome_of(_question(link, secret, since=since)) for secret in wanted]
    outage = Outage(runner.workers)
    batches = _batches(link, wanted, since)
    outcomes: Outcomes = {}
    answers = runner.run([_batch_question(link, batch, outage, since) for batch in batches])
    for batch, answer in zip(batches, answers, strict=True):
        outcomes.update(dict.fromkeys(batch, answer) if isinstance(answer, Exception) else answer)
    rest = [secret for secret in wanted if secret not in outcomes]
    outcomes.update(zip(rest, runner.run([_question(link, secret, outage, since) for secret in rest]), strict=True))
    return [_as_if_asked_alone(link, secret[0], outcomes[secret]) for secret in wanted]


def calls_for(link: Link, wanted: list[VersionedName]) -> int:
    """How many calls it takes to ask for these config secrets if none fails; a version takes a separate call."""
    plain = sum(version is None for _, version in wanted)
    versions = len(wanted) - plain if link.keeps_versions else 0
    return -(-plain // batch_size(link, plain)) + versions


def batch_size(link: Link, number: int) -> int:
    """How many of `number` names one call takes: all of them, unless the backend sets a size or has no batch call."""
    backend = link.backend_or_class()
    own = getattr(backend if isinstance(backend, type) else type(backend), "get_many", None)
    size = 1 if own in (None, BaseSecretsBackend.get_many) else getattr(backend, "batch_size", None)
    return max(1, number if size is None else int(size))


def _batches(link: Link, wanted: list[VersionedName], since: float | None) -> list[list[VersionedName]]:
    """What is asked for together. Versions are asked for one by one; what needs no call is left out."""
    plain = [secret for secret in wanted if secret[1] is None and not link.cache.peek(("config", *secret), since)[0]]
    plain = [secret for secret in plain if link.asks_for("config", secret[0])]
    size = batch_size(link, len(plain))
    starts = range(0, len(plain) if size > 1 else 0, size)
    return [batch for start in starts if len(batch := plain[start : start + size]) > 1]


def _question(
    link: Link, secret: VersionedName, outage: Outage | None = None, since: float | None = None
) -> Callable[[], object]:
    return lambda: link.ask("config", *secret, outage, since)


def _batch_question(
    link: Link, batch: list[VersionedName], outage: Outage, since: float | None
) -> Callable[[], dict[VersionedName, object]]:
    """One call of the store's batch; secrets that it cannot answer for are left out."""

    def fetch(keys: list[tuple[str, str, str | None]]) -> list[object] | None:
        names = [name for _, name, _ in keys]
        refusal = outage.over()
        answer = _call(link, names) if refusal is None else refusal
        if answer is None:
            return None
        found = [answer.get(name) if isinstance(answer, dict) else answer for name in names]
        outcomes = [_as_if_asked_alone(link, name, outcome) for name, outcome in zip(names, found, strict=True)]
        if refusal is None:
            outage.note(outcomes)
        return outcomes

    def ask() -> Outcomes:
        keys, through = [("config", *secret) for secret in batch], link.through(since)
        outcomes = link.cache.get_many(keys, lambda keys: through(keys, fetch), since)
        return {(name, version): outcome for (_, name, version), outcome in outcomes.items()}

    return ask


def _call(link: Link, names: list[str]) -> dict[str, object] | BaseException | None:
    """What the backend's batch call returns or raises; None if it has no such call."""

    asked = monotonic()

    def keep(answer: dict[str, object]) -> None:
        """Keep the values of an answer that came too late, but not its failures."""
        for name, value in answer.items():
            if isinstance(value, str):
                link.cache.add(("config", name, None), value, asked)

    def get_many() -> dict[str, object]:
        return dict(link.backend.get_many("config", names))

    try:
        with AtWork(link.chain, link.level):
            return link.in_time(get_many, keep)
    except NotImplementedError:
        return None
    except OF_THE_PROCESS:
        raise
    except BaseException as fault:
        return fault


def _as_if_asked_alone(link: Link, name: str, outcome: object) -> object:
    """A batch's outcome for one name; a failure reads as if that name had been asked for alone."""
    if outcome is None or isinstance(outcome, str):
        return outcome

    def answer() -> object:
        if isinstance(outcome, SecretsError):
            raise outcome.again()
        if isinstance(outcome, BaseException):
            raise outcome
        return checked("config", name, outcome)

    return outcome_of(lambda: link.guard("config", name, answer))
