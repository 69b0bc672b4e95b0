"""`exec`, `export`, `render`, `redact`: one option as whole processes, 100 secrets, and ten times as much."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from timing import Program, Row, Times, above, calls, median, milliseconds, processes, python, ratio

ONE = "`config get-value` of one option"
HUNDRED = "`exec -- true` with 100 secrets in a store that takes 50 ms a call, 100 names at once"

_STORE = """
import time
from framework.backends.base import StoreBackend
class Store(StoreBackend):
    batch_size = 100
    def __init__(self):
        super().__init__(config_prefix="", variables_prefix=None, connections_prefix=None)
    def read(self, name, version=None):
        time.sleep(0.05)
        return f"value of {name}"
    def read_many(self, names):
        time.sleep(0.05)
        return {name: f"value of {name}" for name in names}
"""


def rows(quick: bool) -> list[Row]:
    rounds = 7 if quick else 21
    with tempfile.TemporaryDirectory() as folder:
        return [*_one(folder, rounds), *_hundred(folder, rounds), *_growth(folder, 2 if quick else 5), *_stream()]


def _project(folder: str, files: dict[str, str]) -> None:
    project = '[tool.framework]\nname = "bench"\nhome = "."\nconfig_files = ["a.toml"]\n'
    for name, text in {"pyproject.toml": project, **files}.items():
        Path(folder, name).write_text(text)


def _ours(folder: str, *words: str) -> Program:
    return python("-m", "framework", "--project", folder, *words, folder=folder)


def _one(folder: str, rounds: int) -> list[Row]:
    _project(folder, {"a.toml": '[server]\nport = 8080\nhost = "localhost"\n', "one.in": "listen @server.port@;\n"})
    programs = {
        ONE: _ours(folder, "config", "get-value", "server", "port"),
        "`exec` of `true`": _ours(folder, "exec", "--only", "server.port", "--", "true"),
        "`export` of one option": _ours(folder, "export", "--only", "server.port"),
        "`render` of one placeholder": _ours(folder, "render", "one.in"),
    }
    times = processes(programs, rounds)
    found = [Row(ONE, milliseconds(median(times, ONE)))]
    for name in list(programs)[1:]:
        more = above(times, name, ONE)
        found.append(Row(name, milliseconds(median(times, name)), f"{more:+.1f} ms", "within 20 ms", more <= 20))
    return found


def _hundred(folder: str, rounds: int) -> list[Row]:
    secrets = "".join(f'k{n}_password_secret = "s{n}"\n' for n in range(100))
    _project(folder, {"a.toml": f'[secrets]\nbackend = "corp.Store"\n[db]\n{secrets}', "corp.py": _STORE})
    one = "the same with one secret"
    programs = {
        one: _ours(folder, "exec", "--only", "db.k1_password", "--", "true"),
        HUNDRED: _ours(folder, "exec", "--", "true"),
    }
    times = processes(programs, rounds)
    more = above(times, HUNDRED, one)
    return [
        Row(one, milliseconds(median(times, one))),
        Row(HUNDRED, milliseconds(median(times, HUNDRED)), f"{more:+.1f} ms", "one call: within 50 ms", more <= 50),
    ]


def _growth(folder: str, rounds: int) -> list[Row]:
    """Ten times as much may take ten times as long, and a half of that besides: it does not fit into a cache."""
    found = []
    for what in ("export", "render"):
        times: Times = {}
        for number in (1_000, 10_000):
            options = "".join(f'k{n} = "value {n}"\n' for n in range(number))
            template = "".join(f"line {n}: @db.k{n}@\n" for n in range(number))
            place = os.path.join(folder, f"{what}{number}")
            os.makedirs(place)
            _project(place, {"a.toml": f"[db]\n{options}", "t.in": template})
            times.update(_in_process(place, what, str(number), rounds))
        growth = ratio(times, "10000", "1000")
        target = "at most 15x of 1,000"
        name = f"`{what}` of 10,000 {'placeholders' if what == 'render' else 'options'}"
        found.append(Row(name, f"{median(times, '10000') / 1e6:.0f} ms", f"{growth:.1f}x", target, growth <= 15))
    return found


def _in_process(place: str, what: str, name: str, rounds: int) -> Times:
    from framework import App
    from framework.delivery.formats import written
    from framework.delivery.selection import Chosen, select
    from framework.delivery.template import Template

    app = App("bench", home=place, config_files=[os.path.join(place, "a.toml")])
    template = Path(place, "t.in").read_bytes()

    def export() -> None:
        written(select(app, Chosen()), "shell")

    def render() -> None:
        Template(template, "t.in").fill(app)

    return calls({name: f"{what}()"}, {"export": export, "render": render}, rounds, 1)


def _stream() -> list[Row]:
    from framework.masking.masker import Masker
    from framework.masking.stream import Stream

    masker = Masker()
    for number in range(100):
        masker.add_mask(f"secret-{number:04}-{number * 7919:08x}")
    line = b"2026-01-01 12:00:00 INFO GET /api/v1/items/42?page=1 200 12ms user=anna trace=4bf92f3577b34da6a3ce929d\n"
    data = line * 10_000

    def feed() -> None:
        stream = Stream(masker)
        for at in range(0, len(data), 65_536):
            stream.feed(data[at : at + 65_536])
        stream.close()

    name = "`redact` of log lines, with 100 secrets"
    times = calls({name: "feed()"}, {"feed": feed}, 3, 1)
    speed = len(data) / median(times, name) * 1000
    return [Row(name, f"{speed:.1f} MB/s")]
