"""A hostile world for the tests of the explorer: stores that hang, refuse, cannot list, and names made of markup; and
the explorer over it as a separate process."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from patience import GUARD

from framework import App, Connection

#: Is in every secret value, and in nothing else.
CANARY = "canary-7f3e9b"
#: Names as an attacker would choose them; each would call `alert` if it were taken for code.
_PIECES = (
    '<script>alert({n})</script>', '<img src=x onerror=alert({n})>', '"><svg onload=alert({n})>',
    "'-alert({n})-'", 'javascript:alert({n})', '{{{{{n}*{n}}}}}', '${{alert({n})}}', '<!--{n}-->',
    '</table><script>alert({n})</script>', '..%2f{n}', 'a/../{n}', '?name={n}&x=1', '#{n}', '%00{n}',
    '\x00{n}', '\u202e{n}', '\x1b[31m{n}', 'a\nb{n}', 'ü日{n}', '&lt;b&gt;{n}', '[[{n}]]', '`{n}`', '{n}.json',
    ' {n} ', '\\{n}', '+{n}+', '%{n}%', '\u200b{n}', 'data:text/html,{n}', '<a href=//evil.example/{n}>',
    '<style>*{{display:none}}</style>{n}', '<iframe srcdoc=alert({n})>', "';alert({n});//",
    '<template>{n}</template>',
)  # fmt: skip
HOSTILE = [piece.format(n=number) for number in range(1, 4) for piece in _PIECES]

_STORES = f'''
import os, time
from framework import BaseSecretsBackend, Connection
from framework.errors import AccessDenied

HERE = os.path.dirname(__file__)

def count(what):
    with open(os.path.join(HERE, "calls"), "a") as file:
        file.write(what + "\\n")

class Hung(BaseSecretsBackend):
    def _hang(self, *_):
        while os.path.exists(os.path.join(HERE, "hang")):
            time.sleep(0.05)
    get_connection = get_variable = get_config = _hang
    def list_names(self, kind):
        count("list hung " + kind)
        self._hang()
        return ["late"]

class Denied(BaseSecretsBackend):
    def get_variable(self, key): return None
    def get_connection(self, conn_id): return None
    def get_config(self, key): return None
    def list_names(self, kind):
        count("list denied " + kind)
        raise AccessDenied("listing is refused")

class Silent(BaseSecretsBackend):
    def get_variable(self, key):
        count("read silent " + key)
        return "{CANARY}-silent" if key == "unlisted" else None

class Hostile(BaseSecretsBackend):
    def get_variable(self, key):
        count("read hostile " + key)
        return "{CANARY}-variable" if key in self._names() else None
    def get_config(self, key):
        count("read hostile " + key)
        return "{CANARY}-config" if key in self._names() else None
    def get_connection(self, conn_id):
        count("read hostile " + conn_id)
        made = Connection(conn_id, "http", host="host", password="{CANARY}-password")
        return made if conn_id in self._names() else None
    def _names(self):
        import json
        with open(os.path.join(HERE, "names.json")) as file:
            return json.load(file)
    def list_names(self, kind):
        count("list hostile " + kind)
        return self._names()
'''

_CFG = f"""
[secrets]
backends = {{backends}}
resolve_timeout_seconds = 3600
[secrets.hung]
backend = {{stores}}.Hung
[secrets.denied]
backend = {{stores}}.Denied
[secrets.silent]
backend = {{stores}}.Silent
[secrets.hostile]
backend = {{stores}}.Hostile
[server]
port = 8080
title = <script>alert("title")</script>
api_password = {CANARY}-plain
db_password_secret = db-password
"""

_TOML = """
[server]
port = 9090
wrong = 1
"""

_SCHEMA = """
server:
  options:
    port: {type: integer, default: 80, description: "Where it listens."}
    title: {type: string, default: none}
    api_password: {type: string, sensitive: true}
    db_password: {type: string, sensitive: true}
    workers: {type: integer, default: 2}
"""


def make(
    home: Path, *, backends: str = "hung, denied, silent, hostile", hang: bool = True, names: Any = HOSTILE
) -> App:
    """Write the world into a folder."""
    home.mkdir(exist_ok=True)
    stores = f"stores_{sha256(str(home).encode()).hexdigest()[:12]}"  # Python keeps modules by their names
    files = {
        "pyproject.toml": '[tool.framework]\nname = "billing"\nhome = "."\nschema = "schema.yaml"\n'
        'config_files = ["over.toml"]\n',
        "billing.cfg": _CFG.format(backends=backends, stores=stores),
        "over.toml": _TOML,
        "schema.yaml": _SCHEMA,
        f"{stores}.py": _STORES,
        "names.json": json.dumps(names),
        "calls": "",
        **({"hang": ""} if hang else {}),
    }
    for name, text in files.items():
        (home / name).write_text(text)
        (home / name).chmod(0o600)
    from framework.metastore.crypto import generate

    (home / "billing.cfg").write_text((home / "billing.cfg").read_text() + f"[core]\nfernet_key = {generate()}\n")
    app = App.from_project(home)
    app.store.set_connection(Connection("shop", "http", host="127.0.0.1", port=9, password=f"{CANARY}-shop"))
    app.store.set_variable("api_token", f"{CANARY}-token")
    return app


def calls(home: Path, word: str) -> list[str]:
    """What the stores were asked, of one sort: `list` or `read`."""
    return [line for line in (home / "calls").read_text().splitlines() if line.startswith(word)]


class Process:
    """`python -m framework explore` over a world."""

    def __init__(self, home: Path, *words: str, environ: dict[str, str] | None = None) -> None:
        self.log = home / "explore.log"
        own = {name: text for name, text in os.environ.items() if not name.startswith(("BILLING_", "FRAMEWORK_"))}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "framework", "--project", str(home), "explore", *words],
                stderr=log, stdout=log, env=own | {"PYTHONUNBUFFERED": "1"} | (environ or {}), cwd=home,
            )  # fmt: skip
        if "--socket" not in words:
            self.link = self.wait_for(r"open: (http://\S+)")
            self.host = self.link.split("/")[2]
            self.port = int(self.host.split(":")[1])
            self.cookie = ""

    def wait_for(self, pattern: str) -> str:
        ends = time.monotonic() + GUARD
        while time.monotonic() < ends:
            found = re.findall(pattern, self.log.read_text())
            if found:
                return str(found[-1])
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def raw(self, text: str) -> tuple[int, str]:
        """Send bytes as they are: the status and the whole answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=GUARD) as opened:
            opened.sendall(text.encode())
            answer = b""
            while piece := opened.recv(65536):
                answer += piece
        return int(answer.split()[1]), answer.decode("utf-8", "replace")

    def ask(self, path: str, body: Any = None, **headers: str | None) -> tuple[int, str]:
        """A request as the page's own script would send it, unless headers say otherwise; None leaves one out."""
        given: dict[str, str | None] = {"host": self.host, "connection": "close", "cookie": self.cookie or None}
        text = "" if body is None else json.dumps(body)
        if body is not None:
            given |= {
                "origin": f"http://{self.host}",
                "content-type": "application/json",
                "sec-fetch-site": "same-origin",
            }
            given["content-length"] = str(len(text))
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value is not None)
        return self.raw(f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\n{head}\r\n{text}")

    def enter(self) -> None:
        """Open the link and keep the cookie."""
        link = self.wait_for(r"open: (http://\S+)")
        status, answer = self.ask(link.partition(self.host)[2])
        assert status == 303, answer
        self.cookie = re.findall(r"set-cookie: ([^;]+)", answer, re.IGNORECASE)[0]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
