"""Try a secrets backend against its live store, reading only: can it be reached, what can it do, how fast is it.

Names that nobody has are asked for, and the store's own names are listed if it can; no value is shown.

for example:
  python -m framework backend-test vault --kwargs '{"url": "http://127.0.0.1:8200", "token": "…"}'
  python -m framework backend-test            the configured backends
"""

from __future__ import annotations

from framework.cli.output import LINK_FAILED, NO, OK, add_output, short, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterator
    from typing import Any

    from framework.app import App
    from framework.link import Link

#: A name that nobody has, in letters that every store takes.
ABSENT = "framework-backend-test-absent"

_READS = 5


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("backend", nargs="?", help="short name or class path; default: those that are configured")
    parser.add_argument("--kwargs", default="", help="JSON object for its constructor; - reads it from stdin")
    add_output(parser)


def run(app: App, args: Namespace) -> int:
    links = [link for link in app.chain.links if link.custom] if args.backend is None else [_link(app, args)]
    if not links:
        import sys

        print("error: no backend is configured; name one", file=sys.stderr)
        return NO
    rows = [{"link": link.name, "what": what, "says": says} for link in links for what, says in _try(link)]
    show(rows, ("link", "what", "says"), args.output)
    return LINK_FAILED if any(row["says"].startswith("fails") for row in rows) else OK


def _link(app: App, args: Namespace) -> Link:
    """The named backend, built like a configured one and belonging to no chain."""
    from framework.wiring import custom_links

    kwargs = args.kwargs
    if kwargs == "-":
        import sys

        kwargs = sys.stdin.read()
    said = {("secrets", "backend"): args.backend, ("secrets", "backends"): ""}
    if kwargs:
        said["secrets", "backend_kwargs"] = kwargs
    with app.conf.override(said):
        [link] = custom_links(app)
        _ = link.backend
    return link


def _try(link: Link) -> Iterator[tuple[str, str]]:
    backend = link.backend
    yield "class", f"{type(backend).__module__}.{type(backend).__name__}"
    for kind in ("connection", "variable", "config"):
        name_of = getattr(backend, "name_of", None)
        if not link.serves(kind) or (name_of is not None and name_of(kind, ABSENT) is None):
            yield f"{kind}s", "not asked"
            continue
        if name_of is not None:
            yield f"name of {kind} x", short(str(name_of(kind, "x")))
        yield f"an absent {kind}", _said(lambda kind=kind: _absent(link, kind))  # type: ignore[misc]
        yield f"list of {kind}s", _said(lambda kind=kind: _listed(link, kind))  # type: ignore[misc]
    yield "batch", _said(lambda: _batch(link))
    yield "versions", "yes" if hasattr(backend, "get_config_version") else "no"
    yield "a read takes", _said(lambda: _time(link))


def _said(ask: Callable[[], str]) -> str:
    from framework.errors import FrameworkError

    try:
        return ask()
    except NotImplementedError:
        return "no"
    except FrameworkError as fault:
        return f"fails: {short(str(fault))}"


def _absent(link: Link, kind: str) -> str:
    value: Any = link.ask(kind, ABSENT)
    return "is absent, as it must be" if value is None else "fails: it answers for a name that nobody has"


def _listed(link: Link, kind: str) -> str:
    names = link.names_if_listed(kind)
    return "no" if names is None else f"{len(names)} names"


def _batch(link: Link) -> str:
    from framework.errors import BackendUnavailable
    from framework.parallel import Runner

    runner = Runner(1, 60, lambda: BackendUnavailable("there was no answer"))
    [answer] = link.ask_many([(ABSENT, None), (f"{ABSENT}-2", None)], runner)[:1]
    if isinstance(answer, Exception):
        raise answer
    size = getattr(link.backend, "batch_size", None)
    return f"{size} names in a call" if size else "one by one, several at once"


def _time(link: Link) -> str:
    from statistics import median
    from time import perf_counter

    kind = next((kind for kind in ("config", "variable", "connection") if link.serves(kind)), "config")
    seconds = []
    for number in range(_READS):
        start = perf_counter()
        link.ask(kind, f"{ABSENT}-{number}-timed")
        seconds.append(perf_counter() - start)
    return f"{median(seconds) * 1000:.1f} ms (median of {_READS})"
