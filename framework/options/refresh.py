"""Reads again what pointers lead to, and replaces what has changed, all at once."""

from __future__ import annotations

from functools import partial
from time import monotonic

from framework.chain.chain import Collected
from framework.chain.runner import Runner, outcome_of
from framework.errors import BackendUnavailable, FrameworkError
from framework.masking import add_mask
from framework.options.pointers import pointer_error
from framework.options.prefetch import about_option, secret_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from framework.chain.batches import VersionedName
    from framework.chain.chain import Chain
    from framework.options.engine import Engine
    from framework.options.followed import Followed
    from framework.options.values import Mention

    Name = tuple[str, str]  # section and key


class _Held:
    """A pointer that is followed again.

    Attributes:
        wins: whether it is the option's first mention, so that its value is the option's.
        kept: what it gave before, or None.
        secret: the config secret that the whole chain may be asked for, else None.
        source: what it shares with the other parts of the same secret.
    """

    __slots__ = ("mention", "wins", "kept", "secret", "source", "outcome")

    def __init__(self, mention: Mention, kept: Followed | None, secret: VersionedName | None, *, wins: bool) -> None:
        self.mention, self.kept, self.secret, self.wins = mention, kept, secret, wins
        self.source: object = secret or mention
        self.outcome: Any = None

    @property
    def name(self) -> Name:
        return self.mention.section, self.mention.key


class Refreshed:
    """How a refresh went.

    Attributes:
        failures: option -> why it keeps its value, or has none.
        changed: the options whose value is another one.
        of_links: those among them from which a link is made, with the link's level.
    """

    __slots__ = ("failures", "changed", "of_links")

    def __init__(self) -> None:
        self.failures: dict[Name, FrameworkError] = {}
        self.changed: list[Name] = []
        self.of_links: list[tuple[Name, int]] = []


def refresh(
    engine: Engine,
    its_chain: Callable[[], Chain],
    names: Iterable[Name] | None = None,
    *,
    seconds: float,
    workers: int,
    max_age: float = 0.0,
) -> Refreshed:
    """Read every `_secret` that is held again, in batches, and replace what has changed.

    Args:
        its_chain: who is asked; called only if there is something to ask.
        names: these options alone, whatever their pointers are, also if they were not read yet.
        seconds: how long all of it may take.
        workers: how many calls are made at once.
        max_age: a value that could not be refreshed is forgotten once it is this many seconds old; 0: never.
    """
    since, done = monotonic(), Refreshed()
    held = list(_held(engine, names))
    if not held:
        return done
    chain = its_chain()
    _ask(engine, chain, held, Runner(workers, seconds, _late(seconds)), Runner(workers + 1, seconds, _late(seconds)))
    _keep_pairs(held)
    links = {link.name: link for link in chain.custom}
    changes = []
    for one in held:
        mention, kept, outcome = one.mention, one.kept, one.outcome
        if isinstance(outcome, FrameworkError):
            if one.wins:
                done.failures[one.name] = outcome
            if kept is not None:
                kept.fail(outcome)
                if kept.link in links:
                    links[kept.link].cache.counts["refresh failures"] += 1
                if max_age and since - kept.asked >= max_age:
                    changes.append((mention, None))
            continue
        if outcome.link in links:
            links[outcome.link].cache.counts["refreshes"] += 1
        if kept is not None and kept.value == outcome.value:
            kept.link, kept.lifetime = outcome.link, outcome.lifetime
            kept.confirm(since)
            continue
        add_mask(outcome.value)
        outcome.confirm(since)
        changes.append((mention, outcome))
        if one.wins and kept is not None:
            done.changed.append(one.name)
            if (level := engine.max_level(*one.name)) is not None:
                done.of_links.append((one.name, level))
    if changes:
        engine.swap(changes, since)
    return done


def _held(engine: Engine, names: Iterable[Name] | None) -> Iterator[_Held]:
    for name in engine.entries() if names is None else dict.fromkeys(engine.current_name(*name) for name in names):
        if not engine.may_point(*name):
            continue
        for place, mention in enumerate(engine.mentions(*name)):
            if mention.is_pointer and (mention.form == "secret" or names is not None):
                kept = engine.followed(mention)
                if kept is not None or (names is not None and place == 0):
                    yield _Held(mention, kept, secret_of(engine, mention), wins=place == 0)


def _ask(engine: Engine, chain: Chain, held: list[_Held], calls: Runner, beside: Runner) -> None:
    """Set the outcome of each: what it gives now, or the error."""
    collected: dict[VersionedName, Any] = {}
    together = [one for one in held if one.secret is not None]
    alone = [one for one in held if one.secret is None]
    secrets = list(dict.fromkeys(one.secret for one in together if one.secret is not None))
    since = monotonic()
    tasks: list[Callable[[], Any]] = [partial(engine.follow_anew, one.mention, since) for one in alone]
    if secrets:
        tasks.append(lambda: chain.collect(secrets, calls, collected, since))
    outcomes = beside.run(tasks)
    for one, outcome in zip(alone, outcomes, strict=False):
        one.outcome = outcome
    with Collected(chain, collected):
        for one in together:
            is_there = one.secret in collected
            one.outcome = outcome_of(partial(engine.follow_anew, one.mention)) if is_there else outcomes[-1]
    for one in held:
        one.outcome = about_option(one.mention, one.outcome)
        if isinstance(one.outcome, Exception) and not isinstance(one.outcome, FrameworkError):
            raise one.outcome


def _keep_pairs(held: list[_Held]) -> None:
    """Where one part of a secret is missing, keep its other parts too: a user belongs to its password."""
    failed = {one.source for one in held if isinstance(one.outcome, FrameworkError)}
    for one in held:
        if one.source in failed and not isinstance(one.outcome, FrameworkError):
            what = "it is not refreshed, because another option cannot be read from the same secret"
            one.outcome = pointer_error(one.mention, what, "See the error of the other option.")


def _late(seconds: float) -> Callable[[], BackendUnavailable]:
    hint = "See [secrets] resolve_timeout_seconds."
    return lambda: BackendUnavailable(f"there was no answer within {seconds:g} s", hint=hint)
