"""The command `backend-test`."""

from __future__ import annotations

from framework.backends.base import KINDS
from framework.chain.batches import batch_size
from framework.cli.output import LINK_FAILED, OK, add_output, short, show
from framework.errors import ConfigError, SecretsError
from framework.masking.search import counted

DESCRIPTION = """\
Test a secrets backend against its live store, by reading only: whether it keeps the contract, what it can do, and how
fast it is.

The reading part of `BackendContract` is run: absent names are asked for, and the store's own names are listed
if it can; no value is shown. Credentials that may read need not be allowed to list, or to ask for unknown names.

for example:
  python -m framework backend-test vault --kwargs '{"url": "http://127.0.0.1:8200", "token": "…"}'
  python -m framework backend-test            the configured backends
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterator
    from typing import Any

    from framework.app import App
    from framework.chain.link import Link

#: Names that do not exist, in letters that every store takes.
_ABSENT, _ELSEWHERE = "framework-backend-test-absent", "framework-backend-test-elsewhere"
_READS = 5
#: More names than any store takes at once.
_MANY = 1_000_000


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run)
    parser.add_argument("backend", nargs="?", help="short name or class path (default: the configured backends)")
    parser.add_argument("--kwargs", default="", help="JSON object for its constructor; - reads it from stdin")
    add_output(parser)


def _run(app: App, args: Namespace) -> int:
    links = _links(app, args)
    if not links:
        raise ConfigError("no backend is configured; name one")
    rows, works = [], True
    for link in links:
        answers = [*_try(link), *_shared(app, link)]
        rows += [{"link": link.name, "what": what, "answer": answer} for what, answer in answers]
        works = works and _works([answer for _, answer in answers])
    show(rows, ("link", "what", "answer"), args.output)
    return OK if works else LINK_FAILED


def _shared(app: App, link: Link) -> Iterator[tuple[str, str]]:
    """Whether other processes can use the answers of a link, if there is a shared cache."""
    if not link.is_remote or not app.conf.get("secrets", "shared_cache_url"):
        return
    from framework.sharing import Sharing

    sharing = Sharing(app)

    def tried() -> str:
        sharing.key()
        state = sharing.server().tried()
        return state if link.identity() is not None else f"{state}, and nothing is shared: it is not known who asks"

    yield "shared cache", _said(tried)


def _links(app: App, args: Namespace) -> list[Link]:
    """The links of the named backend or of the configured ones, which keep nothing and belong to no chain."""
    from framework.assembly import WORKERS, custom_links
    from framework.chain.chain import each
    from framework.errors import BackendError

    overrides = {("secrets", "use_cache"): "false"}
    if args.backend is not None:
        overrides |= {("secrets", "backend"): args.backend, ("secrets", "backends"): "", WORKERS: ""}
    if args.kwargs:
        import sys

        overrides["secrets", "backend_kwargs"] = sys.stdin.read() if args.kwargs == "-" else args.kwargs
    with app.conf.override(overrides):
        links = custom_links(app)
        try:
            for outcome in each(links, lambda link: link.backend):
                if isinstance(outcome, BackendError):  # one that does not answer is reported with its link
                    raise outcome
        except BackendError as fault:
            fault.where = fault.where.replace("conf.override()", "backend-test")
            raise
    return links


def _works(answers: list[str]) -> bool:
    """Whether the store answers: a refusal of some questions is what a narrow policy does, of all a wrong login."""
    asked = [text for text in answers if text.startswith(("holds", "denied", "fails"))]
    return not any(text.startswith("fails") for text in asked) and not all(text.startswith("denied") for text in asked)


def _try(link: Link) -> Iterator[tuple[str, str]]:
    try:
        backend = link.backend
    except SecretsError as fault:
        yield "class", f"fails: {short(str(fault))}"
        return
    yield "class", f"{type(backend).__module__}.{type(backend).__name__}"
    kinds = tuple(kind for kind in KINDS if link.serves(kind) and link.asks_for(kind, _ABSENT))
    listed: dict[str, list[str]] = {}
    for kind in KINDS:
        if kind not in kinds:
            yield f"{kind}s", "never asked for"
            continue
        if hasattr(backend, "name_of"):
            yield f"name of {kind} x", short(str(backend.name_of(kind, "x")))
        yield f"an absent {kind}", _said(lambda kind=kind: _absent(link, kind))  # type: ignore[misc]
        yield f"list of {kind}s", _said(lambda kind=kind: _listed(link, kind, listed))  # type: ignore[misc]
    yield from _contract(link, kinds)
    if hasattr(backend, "read_elsewhere"):
        yield "a name elsewhere", _said(lambda: _elsewhere(link))
    size = batch_size(link, _MANY)
    batch = "any number of names" if size == _MANY else counted(size, "name")
    yield "batch", "one by one, several at once" if size == 1 else f"{batch} in a call"
    yield "versions", "yes" if link.keeps_versions else "no"
    yield "a read takes", _said(lambda: _time(link, kinds, listed))


def _contract(link: Link, kinds: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every test of the contract that only reads."""
    from unittest import SkipTest

    from framework.testing import ReadingContract

    class Contract(ReadingContract):
        def backend(self) -> object:
            return link.backend

        def ask(self, backend: object, kind: str, name: str) -> object:
            return link.ask(kind, name)

    contract = Contract()
    contract.kinds, contract.absent = kinds, _ABSENT
    for name in (name for name in dir(contract) if name.startswith("test_")):
        test = getattr(contract, name)

        def attempt(test: Callable[[], None] = test) -> str:
            try:
                test()
            except (SkipTest, AssertionError) as fault:
                return f"{'not tried' if isinstance(fault, SkipTest) else 'fails'}: {fault}"
            return "holds"

        what = name.removeprefix("test_").replace("_", " ")
        yield f"contract: {what}", _said(lambda attempt=attempt: _asked(link, _ABSENT, attempt))  # type: ignore[misc]


def _said(ask: Callable[[], str]) -> str:
    from framework.errors import AccessDenied, FrameworkError, IssuedOnUse

    try:
        return ask()
    except IssuedOnUse:
        return "not tried: it is issued on use"
    except AccessDenied as fault:
        return f"denied: {short(str(fault))}"
    except FrameworkError as fault:
        return f"fails: {short(str(fault))}"


def _asked(link: Link, name: str, question: Callable[[], object]) -> Any:
    """What a question comes to that goes past the link to its backend; bounded like all others."""
    return link.guard("config", name, lambda: link.in_time(question))


def _absent(link: Link, kind: str) -> str:
    return (
        "holds: it is absent" if link.ask(kind, _ABSENT) is None else "fails: it answers for a name that does not exist"
    )


def _listed(link: Link, kind: str, listed: dict[str, list[str]]) -> str:
    names = link.names_if_listed(kind)
    listed[kind] = names or []
    return "no" if names is None else counted(len(names), "name")


def _elsewhere(link: Link) -> str:
    """How a refusal is shown, if there is one: most policies allow only the names of the application."""
    value = _asked(link, _ELSEWHERE, lambda: link.backend.read_elsewhere(_ELSEWHERE))
    return (
        "absent: it may be asked for as well" if value is None else "fails: it answers for a name that does not exist"
    )


def _time(link: Link, kinds: tuple[str, ...], listed: dict[str, list[str]]) -> str:
    from statistics import median
    from time import perf_counter

    kind, names = next(
        ((kind, names) for kind, names in listed.items() if names), (kinds[-1] if kinds else "config", [])
    )
    seconds = []
    for number in range(_READS):
        start = perf_counter()
        link.ask(kind, names[number % len(names)] if names else f"{_ABSENT}-{number}")
        seconds.append(perf_counter() - start)
    return (
        f"{median(seconds) * 1000:.1f} ms (median of {_READS}, of names that {'it has' if names else 'do not exist'})"
    )
