"""`kill -9` at any point: afterwards every row is readable and is the old or the new one, every file whole.

FRAMEWORK_KILLS says how often each command is killed (a few times in the usual run; hundreds find rarer moments).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD, until
from servers import Place, place  # noqa: F401 - a fixture

from framework import errors
from framework.metastore import bulk, migrations, rotation
from framework.metastore.crypto import Keys, generate
from framework.metastore.store import Store

KILLS = int(os.environ.get("FRAMEWORK_KILLS", "6"))
ROWS = 3000
ROOT = Path(__file__).parent.parent
OLD_KEY, NEW_KEY = generate(), generate()


class Victim:
    """A command in a separate process: run once to the end to measure its time, and then killed earlier."""

    def __init__(self, folder: Path, place: Place, *words: str, key: str = OLD_KEY) -> None:  # noqa: F811
        self._words = [sys.executable, "-m", "framework", "--name", "billing", *words]
        self._env = {
            **{name: text for name, text in os.environ.items() if not name.startswith(("BILLING_", "FRAMEWORK_"))},
            "PYTHONPATH": str(ROOT),
            "BILLING_HOME": str(folder),
            "BILLING__CORE__FERNET_KEY": key,
            "BILLING__DATABASE__SQL_ALCHEMY_CONN": place.url,
        }
        self._folder, self._place = folder, place
        start = time.monotonic()
        process = self._start()
        assert process.wait(GUARD) == 0
        self.seconds = time.monotonic() - start

    def _start(self) -> subprocess.Popen[bytes]:
        quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(self._words, env=self._env, cwd=self._folder, **quiet)

    def kill(self, chance: random.Random) -> None:
        """Start it, and kill it at a moment between its start and its end; a server may still end what it was sent."""
        others, start = self._place.sessions(), time.monotonic()
        process = self._start()
        try:
            process.wait(self.seconds * chance.uniform(0.05, 1.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(GUARD)
        else:
            self.seconds = min(self.seconds, time.monotonic() - start)  # the machine was busy the first time
        until(lambda: self._place.sessions() <= others)


def values(store: Store, kind: str = "variable") -> dict[str, Any]:
    found = {name: value for name, value, _ in bulk.stored(store, kind)}
    for name, value in found.items():
        assert not isinstance(value, errors.SecretsError), f"{name} is lost: {value}"
    return found


def fill(store: Store, text: str, rows: int = ROWS) -> None:
    store.write_many([("variable", f"v{n}", f"{text} {n}", None) for n in range(rows)])


@pytest.fixture
def store(place: Place) -> Store:  # noqa: F811
    made = place.store(OLD_KEY)
    migrations.migrate(made.database)
    return made


def test_import_is_all_or_nothing(place: Place, store: Store, tmp_path: Path) -> None:  # noqa: F811
    """Two files in turn: after each kill the rows are those of one of them."""
    chance = random.Random(1)
    texts = {
        name: {f"v{n}": f"{name} {n} {'x' * 200}" for n in range(ROWS)} | {f"only in {name}": "1"}
        for name in ("a", "b")
    }
    for name, table in texts.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(table))
    first = Victim(tmp_path, place, "variables", "import", "a.json")
    second = Victim(tmp_path, place, "variables", "import", "b.json")
    for _ in range(KILLS):
        for victim in (first, second):
            victim.kill(chance)
            found = values(store)
            starts = {found[f"v{n}"][0] for n in range(ROWS)}
            assert len(starts) == 1, "some rows are old and some are new"
            (name,) = starts
            assert all(found[key] == text for key, text in texts[name].items())


def test_rotate_loses_no_row(place: Place, store: Store, tmp_path: Path) -> None:  # noqa: F811
    chance = random.Random(2)
    fill(store, "value")
    expected = values(store)
    keys = [OLD_KEY, NEW_KEY]
    victim = Victim(tmp_path, place, "fernet", "rotate", key=f"{keys[1]},{keys[0]}")
    for _ in range(KILLS):
        keys.reverse()  # back and forth: a rotation goes on from wherever the last one was killed
        victim._env["BILLING__CORE__FERNET_KEY"] = f"{keys[1]},{keys[0]}"
        victim.kill(chance)
        both = Store(store.database, Keys(",".join(keys)))
        assert values(both) == expected
        assert rotation.census(both).unopened == []
    victim._env["BILLING__CORE__FERNET_KEY"] = f"{keys[1]},{keys[0]}"
    assert victim._start().wait(GUARD) == 0
    assert values(Store(store.database, Keys(keys[1]))) == expected


def test_set_is_the_old_or_the_new_value(place: Place, store: Store, tmp_path: Path) -> None:  # noqa: F811
    chance = random.Random(3)
    old, new = "old " * 50_000, "new " * 30_000
    store.set_variable("v", old)
    fill(store, "other", 50)
    victim = Victim(tmp_path, place, "variables", "set", "v", new)
    for _ in range(KILLS):
        store.set_variable("v", old)
        victim.kill(chance)
        found = values(store)
        assert found["v"] in (old, new)
        assert found["v0"] == "other 0"


def test_the_first_set_of_all(tmp_path: Path) -> None:
    """Killed while it creates the file and its tables: the next run creates or finds them."""
    chance = random.Random(4)
    place = Place("sqlite", tmp_path)  # noqa: F811
    victim = Victim(tmp_path, place, "variables", "set", "v", "new")
    path = tmp_path / f"{place.name}.db"
    for _ in range(KILLS):
        for leftover in tmp_path.glob(f"{place.name}.db*"):
            leftover.unlink()
        victim.kill(chance)
        assert place.store(OLD_KEY).get_variable("v") in (None, "new")
        place.store(OLD_KEY).set_variable("w", "after")
        assert values(place.store(OLD_KEY))["w"] == "after"
    assert path.exists()


@pytest.mark.parametrize("kind", ["connections", "variables"])
def test_an_exported_file_is_whole(kind: str, tmp_path: Path) -> None:
    chance = random.Random(5)
    place = Place("sqlite", tmp_path)  # noqa: F811
    store = place.store(OLD_KEY)
    if kind == "variables":
        fill(store, "value")
    else:
        (tmp_path / "in.json").write_text(json.dumps({f"c{n}": f"x://u:p@h{n}/s" for n in range(1000)}))
        Victim(tmp_path, place, "connections", "import", "in.json")
    victim = Victim(tmp_path, place, kind, "export", "out.json")
    path = tmp_path / "out.json"
    new = path.read_bytes()
    for _ in range(KILLS):
        path.write_bytes(b"old")
        victim.kill(chance)
        assert path.read_bytes() in (b"old", new)
        for leftover in tmp_path.glob(".out.json.*"):
            assert leftover.stat().st_mode & 0o777 == 0o600
            leftover.unlink()
    assert victim._start().wait(GUARD) == 0
    assert path.read_bytes() == new
