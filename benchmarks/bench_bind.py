"""What a settings class of 30 options costs, compared with pydantic-settings: to be made, and to be read."""

from __future__ import annotations

import os
from importlib.util import find_spec

from timing import Row, Times, calls, median, nanoseconds, ratio

SECTIONS, OPTIONS = 5, 6
BASE = "`self.d[section, key]` inside a method call"
BIND = "`app.bind(Settings)`, a dataclass of 30 options"
READ = "the snapshot: `settings.server0.port`"
CURRENT = "the current one: `app.settings.server0.port`"
PEER = "pydantic-settings: `Settings()` of the same 30 options"
#: Milliseconds that a class of 30 options may take.
LIMIT = 0.8


def rows(quick: bool) -> list[Row]:
    rounds = 15 if quick else 101
    names = _names()
    makers = {BIND: "app.bind(Settings)"}
    if "Peer" in names:
        makers[PEER] = "Peer()"
    made = calls(makers, names, rounds, 20)
    readers = {BASE: "base.get('server', 'port')", READ: "settings.server0.port", CURRENT: "app.settings.server0.port"}
    read = calls(readers, names, rounds, 5_000)
    taken = median(made, BIND) / 1e6
    found = [Row(BIND, f"{taken:.2f} ms", "", f"at most {LIMIT} ms", taken <= LIMIT)]
    if PEER in made:
        found.append(Row(PEER, f"{median(made, PEER) / 1e6:.2f} ms", f"{ratio(made, PEER, BIND):.1f}x of ours"))
    found.append(Row(BASE, nanoseconds(median(read, BASE)), "1x"))
    return [*found, _row(read, READ, 0.5), _row(read, CURRENT, 1)]


def _row(times: Times, name: str, limit: float) -> Row:
    relative = ratio(times, name, BASE)
    return Row(name, nanoseconds(median(times, name)), f"{relative:.2f}x", f"under {limit:g}x", relative < limit)


def _names() -> dict[str, object]:
    """Classes of five sections with six options each; half of the options are in the environment."""
    from dataclasses import field, make_dataclass

    from bench_get import Base

    from framework import App

    fields = (
        ("port", int, 8000),
        ("ratio", float, 0.5),
        ("debug", bool, False),
        ("host", str, "localhost"),
        ("origins", list[str], field(default_factory=list)),
        ("timeout", int, 30),
    )
    sections = [make_dataclass(f"Section{at}", fields, frozen=True) for at in range(SECTIONS)]
    settings = make_dataclass("Settings", [(f"server{at}", cls) for at, cls in enumerate(sections)], frozen=True)
    for at in range(SECTIONS):
        values = {"PORT": "8080", "ORIGINS": '["https://a.example", "https://b.example"]', "DEBUG": "true"}
        os.environ.update({f"BENCH__SERVER{at}__{key}": text for key, text in values.items()})
    app = App("bench", schema=settings, home="/nonexistent")
    names: dict[str, object] = {"app": app, "Settings": settings, "settings": app.settings, "base": Base()}
    if find_spec("pydantic_settings"):
        names["Peer"] = _peer(fields)
    return names


def _peer(fields: tuple[tuple[str, type, object], ...]) -> object:
    from pydantic import BaseModel, create_model
    from pydantic_settings import BaseSettings, SettingsConfigDict

    defaults = {name: (type_, [] if name == "origins" else default) for name, type_, default in fields}
    section: type[BaseModel] = create_model("Section", **defaults)  # type: ignore[call-overload]

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="BENCH__", env_nested_delimiter="__")

        server0: section = section()  # type: ignore[valid-type]
        server1: section = section()  # type: ignore[valid-type]
        server2: section = section()  # type: ignore[valid-type]
        server3: section = section()  # type: ignore[valid-type]
        server4: section = section()  # type: ignore[valid-type]

    return Settings
