"""The load of a fleet of processes with this configuration on its stores. No store is asked for this.

A secret is counted at the first remote link of the chain: what is absent there costs the next links calls as well.
"""

from __future__ import annotations

from framework.chain.batches import batch_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypedDict

    from framework.app import App
    from framework.chain.link import Link

    Calls = dict[str, int]  # the store's name of a call -> how many

    class Price(TypedDict):
        """In dollars: for 10,000 calls, and for each secret and month."""

        calls: float
        secret: float

    class Quota(TypedDict, total=False):
        """The most calls in a second."""

        per_second: int
        per: str
        shared_with: str

    class Facts(TypedDict, total=False):
        """What is known of one store: see `stores.toml`."""

        issued_on_use: bool
        single: str
        batch: str
        after_throttling: str
        price: Price
        quotas: dict[str, Quota]
        sources: list[str]
        not_compared: str


DAY, MONTH = 86_400, 30
#: The ways to read: how many copies of the answers a fleet keeps beside its own processes.
DIRECT, BY_HOST, SHARED = "direct", "shared cache on each host", "one shared cache"


class Fleet:
    """How many processes there are, and how often they ask.

    Args:
        processes: how many run at once.
        hosts: on how many machines.
        starts_per_day: how often each process starts in a day.
        reads_every: seconds after which a running process reads its secrets again; 0: never.
        cached_for: seconds for which an answer of a shared cache counts; 0: there is none, so every way is direct.
    """

    def __init__(
        self, processes: int, hosts: int, starts_per_day: float, reads_every: float, cached_for: float
    ) -> None:
        self.processes, self.hosts, self.starts_per_day = processes, hosts, starts_per_day
        self.reads_every, self.cached_for = reads_every, cached_for

    def readers(self, way: str) -> int:
        """How many ask the store when all start at once."""
        if way == DIRECT or not self.cached_for:
            return self.processes
        return min(self.hosts, self.processes) if way == BY_HOST else 1

    def reads_a_day(self, way: str) -> float:
        """How often all secrets are read from the store in a day."""
        reads = self.processes * (self.starts_per_day + (DAY / self.reads_every if self.reads_every else 0.0))
        if way == DIRECT or not self.cached_for:
            return reads
        return min(reads, self.readers(way) * DAY / self.cached_for)


def plan(app: App, fleet: Fleet) -> dict[str, Any]:
    """The calls, quotas and prices, for each link that serves config secrets.

    Returns:
        `fleet`, the date of the prices, `links`: each with its secrets, the calls of one process, and a table of what
        happens in each way to read.
    """
    from framework.options.prefetch import Plan

    references = Plan(app.engine).references
    known = _known()
    links: list[dict[str, Any]] = []
    rest = references
    for link in app.chain.visible("config"):
        if not link.is_remote:
            continue
        made = _of_link(link, rest, known, fleet)
        if not made["issued_on_use"]:
            rest = []
        links.append(made)
    about = {
        name: getattr(fleet, name) for name in ("processes", "hosts", "starts_per_day", "reads_every", "cached_for")
    }
    return {"fleet": about, "secrets": len(references), "date": known["date"], "links": links}


def _known() -> dict[str, object]:
    """What stores publish."""
    from importlib.resources import files

    from framework.parsing import read_toml

    return read_toml(files("framework.inspection").joinpath("stores.toml").read_text("utf-8"))


def _of_link(
    link: Link, wanted: list[tuple[str, str | None]], known: Mapping[str, Any], fleet: Fleet
) -> dict[str, object]:
    backend = link.backend_or_class()
    cls = backend if isinstance(backend, type) else type(backend)
    name = f"{cls.__module__}.{cls.__qualname__}"
    facts: Facts = known.get(name, {})
    issues = bool(facts.get("issued_on_use"))
    calls = {} if issues else calls_of(link, wanted, facts)
    ways = {way: _way(way, calls, len(wanted), facts, fleet) for way in (DIRECT, BY_HOST, SHARED)}
    return {
        "link": link.name,
        "backend": name,
        "issued_on_use": issues,
        "secrets": 0 if issues else len(wanted),
        "calls_of_one_process": calls,
        "quotas": facts.get("quotas", {}),
        "price": facts.get("price"),
        "sources": facts.get("sources", []),
        "not_compared": facts.get("not_compared", ""),
        "is_known": bool(facts),
        "ways": ways,
    }


def calls_of(link: Link, wanted: list[tuple[str, str | None]], facts: Facts) -> dict[str, int]:
    """The calls by which one process reads all of these secrets, if none fails."""
    versions = sum(version is not None for _, version in wanted) if link.keeps_versions else 0
    plain = len(wanted) - versions
    size, few = batch_size(link, plain), getattr(link.backend_or_class(), "alone_up_to", 1)
    batches, left = divmod(plain, size)
    if left > few:
        batches, left = batches + 1, 0
    if size == 1:
        batches, left = 0, plain
    single, batch = facts.get("single", "read"), facts.get("batch", "batch")
    calls: dict[str, int] = {}
    for name, number in ((batch, batches), (single, left + versions)):
        if number:
            calls[name] = calls.get(name, 0) + number
    return calls


def _way(way: str, calls: Calls, secrets: int, facts: Facts, fleet: Fleet) -> dict[str, object]:
    """What happens in one way to read; dollars and seconds are None if the store publishes no prices or quotas."""
    quotas, price = facts.get("quotas", {}), facts.get("price")
    cold = {name: number * fleet.readers(way) for name, number in calls.items()}
    first = _first_over(quotas, cold)
    if first is not None and "after_throttling" in facts and first == facts["batch"]:
        cold = _one_by_one(cold, calls, secrets, facts)
    seconds = [number / quotas[name]["per_second"] for name, number in _under(quotas, cold).items()]
    reads = fleet.reads_a_day(way)
    a_day = sum(calls.values()) * reads
    if first is None:  # what runs may ask more often than what starts
        first = _first_over(quotas, {name: number * reads / DAY for name, number in calls.items()})
    cost = None if price is None else a_day * MONTH / 10_000 * price["calls"] + secrets * price["secret"]
    return {
        "calls_if_all_start": sum(cold.values()),
        "calls_an_hour": round(a_day / 24, 1),
        "calls_a_day": round(a_day, 1),
        "first_quota": first,
        "seconds_to_start_all": round(max(seconds), 1) if seconds else None,
        "dollars_a_month": None if cost is None else round(cost, 2),
    }


def _first_over(quotas: dict[str, Quota], calls: Mapping[str, float]) -> str | None:
    """The first quota that so many calls in a second exceed."""
    return next((name for name, number in _under(quotas, calls).items() if number > quotas[name]["per_second"]), None)


def _under(quotas: dict[str, Quota], calls: Mapping[str, float]) -> dict[str, float]:
    """How many calls count against each quota; some calls share one, which has the name of the first."""
    counted: dict[str, float] = {}
    for name, number in calls.items():
        if name in quotas:
            quota = quotas[name].get("shared_with", name)
            counted[quota] = counted.get(quota, 0) + number
    return counted


def _one_by_one(cold: Calls, calls: Calls, secrets: int, facts: Facts) -> Calls:
    """The calls that are answered if batches are throttled: those of the first second, then one for each secret."""
    batch, single = facts["batch"], facts["after_throttling"]
    served = facts["quotas"][batch]["per_second"]
    in_a_batch = (secrets - calls.get(single, 0)) / calls[batch]
    return {batch: served, single: cold.get(single, 0) + round((cold[batch] - served) * in_a_batch)}
