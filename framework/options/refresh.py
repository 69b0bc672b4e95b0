"""Reads again what pointers lead to, and replaces what has changed, all at once."""

from __future__ import annotations

# What a thread in the background needs is imported before it begins, see `watching._reporter`.
import queue  # noqa: F401
from functools import partial
from time import monotonic

import framework.copies  # noqa: F401
from framework.chain.chain import Collected
from framework.chain.level import shared_age
from framework.chain.runner import Runner, outcome_of
from framework.errors import BackendUnavailable, FrameworkError
from framework.lifetime import IssuedOnUse, Looking, Preferred, is_looking
from framework.masking import add_mask
from framework.options.explanation import unconvertible
from framework.options.pointers import pointer_error
from framework.options.prefetch import about_option, secret_of
from framework.options.values import Answer

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
    """A pointer that is followed again: its value is held, or is being read for the first time.

    Attributes:
        wins: whether it is the option's first mention, so that its value is the option's.
        secret: the config secret that the whole chain may be asked for, else None.
        source: what it shares with the other parts of the same secret.
        looks: whether nothing may be issued for it, because its only readers are such as `prefetch`.
    """

    __slots__ = ("mention", "wins", "secret", "source", "looks", "outcome")

    def __init__(self, mention: Mention, secret: VersionedName | None, *, wins: bool, looks: bool) -> None:
        self.mention, self.secret, self.wins, self.looks = mention, secret, wins, looks
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
    shared_max_age: float = 0.0,
) -> Refreshed:
    """Read every `_secret` that is held again, in batches, and replace what has changed.

    Args:
        its_chain: who is asked; called only if there is something to ask.
        names: these options alone, whatever their pointers are, also if they were not read yet. One that does not exist
            is a failure.
        seconds: how long all of it may take.
        workers: how many calls are made at once.
        max_age: a value that could not be refreshed is forgotten once it is this many seconds old; 0: never.
        shared_max_age: how old an answer of the shared cache may be, in seconds; 0: the store itself is asked.
    """
    done, began = Refreshed(), monotonic()
    shared_max_age = min(shared_max_age, max_age or shared_max_age)
    since = Preferred(began - shared_max_age, max_age)
    if names is None:
        engine.begin_refresh(since)
    else:
        from framework.options.notices import named

        names, done.failures = named(engine, names)
    held = list(_held(engine, names))
    if not held:
        return done
    chain = its_chain()
    calls, beside = (Runner(number, seconds, _late(seconds)) for number in (workers, workers + 2))
    token = shared_age.set(shared_max_age)
    try:
        _ask(engine, chain, held, calls, beside, began)
    finally:
        shared_age.reset(token)  # what is called later, such as functions of on_change, is no part of this
    _refuse_misfits(engine, held)
    _keep_pairs(held)
    links = {link.name: link for link in chain.custom}
    changes: list[tuple[Mention, Followed | None]] = []
    for one in held:
        mention, outcome = one.mention, one.outcome
        if one.looks and isinstance(outcome, IssuedOnUse):
            continue
        if isinstance(outcome, FrameworkError):
            kept = engine.followed(mention)  # as it is now: it may have been under way
            if one.wins and (kept is not None or names is not None):
                done.failures[one.name] = outcome
            if kept is not None:
                kept.fail(outcome)
                if kept.link in links:
                    links[kept.link].cache.counts["refresh failures"] += 1
                if max_age and began - kept.asked >= max_age:
                    changes.append((mention, None))
            continue
        if outcome.link in links:
            links[outcome.link].cache.counts["refreshes"] += 1
        add_mask(outcome.value)
        outcome.confirm(min(outcome.asked, began))  # earlier, if it is from the shared cache
        changes.append((mention, outcome))
    changed = engine.swap(changes, since, began)
    done.changed = [one.name for one in held if one.wins and one.mention in changed]
    levels = ((name, engine.max_level(*name)) for name in done.changed)
    done.of_links = [(name, level) for name, level in levels if level is not None]
    return done


def _held(engine: Engine, names: Iterable[Name] | None) -> Iterator[_Held]:
    for name in engine.entries() if names is None else dict.fromkeys(names):
        if not engine.may_point(*name):
            continue
        for place, mention in enumerate(engine.mentions(*name)):
            if not mention.is_pointer or (mention.form != "secret" and names is None):
                continue
            under_way, is_used = engine.under_way(mention), names is not None and place == 0
            is_used = is_used or engine.is_followed(mention)
            if under_way or is_used:
                looks = not is_used and all(under_way)
                yield _Held(mention, secret_of(engine, mention), wins=place == 0, looks=looks)


def _ask(engine: Engine, chain: Chain, held: list[_Held], calls: Runner, beside: Runner, since: float) -> None:
    """Set the outcome of each: what it gives now, or the error."""
    collected: dict[VersionedName, Any] = {}
    together = [one for one in held if one.secret is not None]
    alone = [one for one in held if one.secret is None]
    # Whether nothing may be issued for it, of each secret.
    looks = {one.secret: True for one in together} | {one.secret: False for one in together if not one.looks}
    tasks: list[Callable[[], Any]] = [_looking(one.looks, engine.follow_anew, one.mention, since) for one in alone]
    groups = [looks_only for looks_only in (False, True) if looks_only in looks.values()]
    for group in groups:
        secrets = [secret for secret, looks_only in looks.items() if looks_only == group]
        tasks.append(_looking(group, chain.collect, secrets, calls, collected, since))
    outcomes = beside.run(tasks)
    for one, outcome in zip(alone, outcomes, strict=False):
        one.outcome = outcome
    with Collected(chain, collected):
        for one in together:
            is_there = one.secret in collected
            late = outcomes[len(alone) + groups.index(looks[one.secret])]
            one.outcome = outcome_of(partial(engine.follow_anew, one.mention)) if is_there else late
    for one in held:
        one.outcome = about_option(one.mention, one.outcome)
        if isinstance(one.outcome, Exception) and not isinstance(one.outcome, FrameworkError):
            raise one.outcome


def _looking(looks: bool, call: Callable[..., object], *given: object) -> Callable[[], object]:
    def act() -> object:
        with Looking(looks or is_looking()):
            return call(*given)

    return act


def _refuse_misfits(engine: Engine, held: list[_Held]) -> None:
    """Where a new value does not fit the declared option, and the last one does, the last one stays."""
    for one in held:
        if one.wins and not isinstance(one.outcome, FrameworkError):
            kept, fault = engine.followed(one.mention), _misfit(engine, one.mention, one.outcome)
            if fault is not None and (kept is None or _misfit(engine, one.mention, kept) is None):
                add_mask(one.outcome.value)
                one.outcome = fault


def _misfit(engine: Engine, mention: Mention, followed: Followed) -> FrameworkError | None:
    spec = engine.spec(mention.section, mention.key)
    value = engine.current_value(spec, mention, followed.value)
    if spec.option is None or (value == "" and spec.option.default == ""):
        return None
    try:
        spec.option.convert(value)
    except ValueError as fault:
        answer = Answer(value, mention, link=followed.link, sensitive=True)
        return unconvertible(engine, answer, str(fault))
    return None


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
