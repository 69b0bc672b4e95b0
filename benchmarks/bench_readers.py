"""How the time of each reader grows with its input: once, ten and a hundred times as much of the same."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable

from bench_cfg import cfg_text
from timing import Row, calls, median

#: Times as much.
FACTORS = (1, 10, 100)
#: What is read once: entries of a file, or characters of a text.
ENTRIES = 100


def _table(entries: int) -> dict[str, dict[str, object]]:
    return {
        f"section_{number // 50}": {
            f"option_{inner}": f"value {inner}" if inner % 3 else [inner, {"a": inner}]
            for inner in range(number, min(number + 50, entries))
        }
        for number in range(0, entries, 50)
    }


def _typed(entries: int, ending: str) -> str:
    table = _table(entries)
    if ending == "json":
        return json.dumps(table, indent=1)
    if ending == "yaml":
        return "".join(
            f"{section}:\n" + "".join(f"  {key}: {json.dumps(value)}\n" for key, value in options.items())
            for section, options in table.items()
        )
    return "".join(
        f"[{section}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in options.items())
        for section, options in table.items()
    )


def _toml(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else "[1, {a = 2}]"


def _flat(entries: int, ending: str) -> str:
    if ending == "env":
        return "".join(f"NAME_{number}=value {number}\n" for number in range(entries))
    if ending == "yaml":
        return "".join(f"name_{number}: value {number}\n" for number in range(entries))
    return json.dumps({f"name_{number}": f"value {number}" for number in range(entries)}, indent=1)


def rows(quick: bool) -> list[Row]:
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for what, make in _readers(folder).items():
            each = []
            for factor in FACTORS:
                read = make(ENTRIES * factor)
                rounds, times = (3, 1) if quick else (7, max(1, 20 // factor))
                taken = calls({"it": "read()"}, {"read": read}, rounds, times)
                each.append(median(taken, "it") / 1000 / (ENTRIES * factor))
            growth = each[-1] / each[1]
            shown = " / ".join(f"{time:.2f}" for time in each)
            found.append(
                Row(
                    f"{what}: µs a unit at 1x / 10x / 100x",
                    shown,
                    f"{growth:.2f}x",
                    "100x at most 3x of 10x",
                    growth <= 3,
                )
            )
    return found


def _readers(folder: str) -> dict[str, Callable[[int], Callable[[], object]]]:
    """By name: what makes, for a size, a function that reads as much."""
    from framework import Connection
    from framework.convert import expand, to_json
    from framework.files.entries import read_entries
    from framework.files.secrets import SecretsFile
    from framework.files.tables import read_table
    from framework.layers.cfg import CfgLayer, interpolate
    from framework.layers.environment import DotEnv
    from framework.masking import Masker

    def written(name: str, text: str) -> str:
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def cfg(size: int) -> Callable[[], object]:
        path = written("x.cfg", cfg_text(size))
        return lambda: CfgLayer("main cfg", path)

    def dotenv(size: int) -> Callable[[], object]:
        path = written(".env", _flat(size, "env"))
        return lambda: DotEnv(path)

    def typed(ending: str) -> Callable[[int], Callable[[], object]]:
        def make(size: int) -> Callable[[], object]:
            path = written(f"x.{ending}", _typed(size, ending))
            return lambda: read_table(path)

        return make

    def secrets(ending: str) -> Callable[[int], Callable[[], object]]:
        def make(size: int) -> Callable[[], object]:
            path = written(f"s.{ending}", _flat(size, ending))
            return lambda: SecretsFile(path).entries()

        return make

    def stream(ending: str) -> Callable[[int], Callable[[], object]]:
        def make(size: int) -> Callable[[], object]:
            data = _flat(size, ending).encode()
            return lambda: sum(1 for _ in read_entries(io.BytesIO(data), f"s.{ending}", ending))

        return make

    def aliases(size: int) -> Callable[[], object]:
        path = written("a.yaml", "base: &b {a: 1}\n" + "".join(f"s{n}: {{<<: *b, k: {n}}}\n" for n in range(size)))
        return lambda: read_table(path)

    def json_text(size: int) -> Callable[[], object]:
        text = json.dumps([[number, {"a": "b"}] for number in range(size)])
        return lambda: to_json(text)

    def names(size: int) -> Callable[[], object]:
        text = "a %(name)s " * size
        return lambda: interpolate(text, {"name": "value %(it)s", "it": "x"}.get, "here")

    def variables(size: int) -> Callable[[], object]:
        text = "a $NAME ${NAME} " * size
        return lambda: expand(text, {"NAME": "value"}.get)

    def uri(size: int) -> Callable[[], object]:
        text = "postgres://u:p@h/db?" + "&".join(f"name{number}=value{number}" for number in range(size))
        return lambda: Connection.from_uri(text)

    def masked(size: int) -> Callable[[], object]:
        masker, value = Masker(), [{"password": "p", "text": f"a text {number}"} for number in range(size)]
        masker.add_mask("a-secret-word")
        return lambda: masker.redact(value)

    return {
        "cfg, options": cfg,
        ".env, names": dotenv,
        **{f"{ending.upper()}, options": typed(ending) for ending in ("toml", "yaml", "json")},
        "YAML, tables that merge an alias": aliases,
        **{f"secrets file {ending}, names": secrets(ending) for ending in ("json", "yaml", "env")},
        **{f"import {ending}, names": stream(ending) for ending in ("json", "yaml", "env")},
        "`getjson`, items": json_text,
        "`%(name)s`, uses": names,
        "`$VAR`, uses": variables,
        "a connection's URI, parameters": uri,
        "masking, rows": masked,
    }
