"""The explorer without a browser: pages and JSON, what they never hold, and who is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from explorer_world import CANARY, HOSTILE, Process, calls, make
from patience import GUARD, until
from starlette.testclient import TestClient

from framework import App, errors, web
from framework.web import actions, jobs, lists, pages
from framework.web.explorer import Explorer
from framework.web.handles import handle, name_of

PAGES = ("", "options", "connections", "variables", "secrets", "links", "problems", "plan", "compare", "log")
_OWN = {"origin": "http://testserver"}


def client(app: App, **more: Any) -> TestClient:
    return TestClient(web.app(app, **{"authorize": lambda request: "ann", **more}), raise_server_exceptions=True)


def done(page: TestClient, path: str) -> Any:
    """The data of a page once nothing that it shows is under way any more."""
    found: list[Any] = []

    def is_done() -> bool:
        found[:] = [page.get(path).json()]
        return not found[0]["busy"]

    until(is_done)
    return found[0]


def do(page: TestClient, action: str, **body: Any) -> Any:
    """An action and its outcome."""
    answer = page.post(f"/do/{action}", json=body, headers=_OWN).json()
    ends = time.monotonic() + GUARD
    while answer["state"] == "running" and time.monotonic() < ends:
        answer = page.post("/job", json={"job": answer["job"]}, headers=_OWN).json()
    return answer


@pytest.fixture
def calm(tmp_path: Path) -> App:
    return make(tmp_path / "home", backends="hostile", hang=False)


@pytest.fixture
def wild(tmp_path: Path) -> Iterator[App]:
    yield make(tmp_path / "home")
    (tmp_path / "home" / "hang").unlink()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    home = tmp_path_factory.mktemp("explorer") / "home"
    make(home)
    made = Process(home, "--write")
    made.enter()
    yield made
    made.end()


# Pages


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_the_same_as_json(calm: App, path: str) -> None:
    page = client(calm)
    assert page.get(f"/{path}").status_code == 200
    assert isinstance(page.get(f"/{path or 'index'}.json").json(), dict)


def test_the_explorer_cannot_be_made_without_a_rule_of_who_may_see_it(calm: App) -> None:
    with pytest.raises(errors.InvalidArgument, match="authorize"):
        web.app(calm)


def test_a_person_who_is_not_allowed_sees_nothing(calm: App) -> None:
    for refused in (None, False):
        page = client(calm, authorize=lambda request, refused=refused: refused)
        assert {page.get(f"/{path}").status_code for path in PAGES} == {403}
        assert page.post("/do/reveal", json={}, headers=_OWN).status_code == 403


async def _only_readers(request: Any) -> str | None:
    return "ann" if request.state.action == "read" else None


def test_the_rule_gets_what_to_do_and_may_wait(calm: App) -> None:
    page = client(calm, authorize=_only_readers)
    assert page.get("/options").status_code == 200
    body = {"kind": "variable", "name": "api_token"}
    assert page.post("/do/reveal", json=body, headers=_OWN).status_code == 403


def test_it_can_be_mounted_under_a_path(calm: App) -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    page = TestClient(Starlette(routes=[Mount("/admin/config", web.app(calm, authorize=lambda request: True))]))
    text = page.get("/admin/config/options").text
    assert 'href="/admin/config/static/explorer.css"' in text
    assert page.get("/admin/config/static/explorer.css").status_code == 200


def test_any_asgi_application_can_hand_a_path_to_it(calm: App) -> None:
    site = web.app(calm, authorize=lambda request: True)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http" and scope["path"].startswith("/config/")
        await site({**scope, "root_path": "/config"}, receive, send)

    page = TestClient(application)
    assert 'href="/config/static/explorer.css"' in page.get("/config/options").text
    assert page.get("/config/index.json").json()["options"] > 4


def test_an_option_shows_every_place_and_what_is_written_there(calm: App) -> None:
    found = done(client(calm), "/option.json?section=server&key=port")
    assert found["value"] == "9090"
    assert [(one["layer"], one["written"]) for one in found["mentions"]] == [
        ("config file", "9090"),
        ("main cfg", "8080"),
        ("default", "80"),
    ]
    assert found["mentions"][0]["where"].startswith("over.toml:")


def test_options_are_filtered_by_text_layer_and_state(calm: App) -> None:
    page = client(calm)
    done(page, "/options.json")

    def found(**query: str) -> set[str]:
        return {row["key"] for row in page.get("/options.json", params=query).json()["rows"]}

    assert found(q="9090") == {"port"}
    assert "workers" in found(layer="default") and "port" not in found(layer="default")
    assert found(state="contested") == {"port"}
    assert {"api_password", "db_password"} <= found(state="secret")
    assert CANARY not in page.get("/options").text


def test_a_problem_leads_to_its_option(calm: App) -> None:
    (calm_home := Path(calm.home)).joinpath("over.toml").write_text("[server]\nport = 'no number'\n")
    page = client(App.from_project(calm_home))
    row = next(row for row in done(page, "/problems.json")["rows"] if row["code"] == "wrong-value")
    assert (row["section"], row["key"]) == ("server", "port")
    assert "port" in {row["key"] for row in page.get("/options.json?state=fails").json()["rows"]}


def test_a_file_that_is_newer_than_what_was_read_is_named(calm: App) -> None:
    page = client(calm)
    assert "after this process read it" not in page.get("/").text
    path = Path(calm.home) / "over.toml"
    os.utime(path, (time.time() + 5, time.time() + 5))
    assert "over.toml was changed after this process read it" in page.get("/").text


def test_names_say_who_answers_and_where_they_are_shadowed(calm: App) -> None:
    calm.store.set_variable(HOSTILE[0], "x")
    rows = {row["name"]: row for row in done(client(calm), "/variables.json")["rows"]}
    assert rows[HOSTILE[0]]["answers"] == "hostile"
    assert rows[HOSTILE[0]]["shadowed_in"] == ["metastore"]


def test_a_name_after_a_link_that_cannot_be_listed_is_marked(wild: App) -> None:
    page = client(wild)
    until(lambda: page.get("/variables.json?q=api_token").json()["rows"])
    found = page.get("/variables.json?q=api_token").json()
    assert found["rows"][0]["unsure"] == ["hung", "denied", "silent"]
    assert found["so_far"]
    assert {row["link"]: row["state"] for row in found["links"]} == {
        "hung": "listing",
        "denied": "failed",
        "silent": "cannot list",
        "hostile": "listed",
        "environment": "listed",
        "metastore": "listed",
    }
    assert "unless hung or denied or silent has it" in page.get("/variables?q=api_token").text


def test_the_headline_names_links_that_do_not_answer(wild: App) -> None:
    page = client(wild)
    until(lambda: {"hung", "denied"} <= set(page.get("/index.json").json()["quiet"]))
    found = page.get("/index.json").json()
    assert not found["well"]
    assert "silent" in found["unlisted"]


def test_a_list_reads_no_value_and_asks_each_link_once(wild: App) -> None:
    page, home = client(wild), Path(wild.home)
    for _ in range(3):
        for path in PAGES:
            page.get(f"/{path}")
    assert calls(home, "read") == []
    listed = calls(home, "list")
    assert len(listed) == len(set(listed))
    do(page, "refresh", kind="variable")
    until(lambda: len(calls(home, "list hostile variable")) == 2)
    assert len(calls(home, "list hung variable")) == 1  # it is still at it
    assert len(calls(home, "list hostile connection")) == 1


def test_a_saved_dump_and_a_snapshot_are_compared(calm: App, tmp_path: Path) -> None:
    page = client(calm)
    saved = {"server": {"port": 1234, "title": "x", "api_password": "< hidden >", "gone": "1"}}
    text = page.post("/compare", json={"text": json.dumps(saved)}, headers=_OWN).text
    assert "1234" in text and "9090" in text and "only in the file" in text
    assert CANARY not in text
    from framework.inspection.snapshot import taken

    text = page.post("/compare", json={"text": taken(calm, "now").to_json()}, headers=_OWN).text
    assert "different</td>" not in text and "only here" not in text and "only in the file" not in text
    assert "neither a snapshot nor a dump" in page.post("/compare", json={"text": "{"}, headers=_OWN).text


def test_what_is_hidden_in_part_is_not_called_the_same(calm: App) -> None:
    Path(calm.home, "over.toml").write_text(f"[server]\ntitle = 'http://me:{CANARY}@h/'\n")
    page = client(App.from_project(calm.home))
    done(page, "/options.json")
    saved = {"server": {"title": "http://me:***@h/"}}
    text = page.post("/compare", json={"text": json.dumps(saved)}, headers=_OWN).text
    assert "not known: a part of the value is hidden" in text and CANARY not in text


@pytest.mark.parametrize("cfg", ["backend = nowhere.Nothing", "backends = gone", "backend_kwargs = {"])
def test_pages_say_what_is_wrong_with_a_chain_that_cannot_be_built(tmp_path: Path, cfg: str) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.framework]\nname = "billing"\nhome = "."\n')
    (tmp_path / "billing.cfg").write_text(f"[secrets]\n{cfg}\n")
    page = client(App.from_project(tmp_path))
    for path in PAGES:
        assert page.get(f"/{path}").status_code == 200, path
    assert done(page, "/problems.json")["rows"] or "backend_kwargs" in cfg
    assert not done(page, "/index.json")["well"] or "backend_kwargs" in cfg


# Actions


def test_a_value_is_shown_when_a_person_asks_and_that_is_logged_without_it(calm: App) -> None:
    page = client(calm)
    answer = do(page, "reveal", kind="variable", name="api_token")
    assert (answer["value"], answer["link"]) == (f"{CANARY}-token", "metastore")
    assert do(page, "reveal", kind="option", name="server%0Aapi_password")["value"] == f"{CANARY}-plain"
    rows = page.get("/log.json").json()["rows"]
    assert [(row["who"], row["what"], row["kind"]) for row in rows] == [
        ("ann", "reveal", "option"),
        ("ann", "reveal", "variable"),
    ]
    assert CANARY not in json.dumps(rows)


def test_the_values_shown_in_a_minute_are_limited(calm: App) -> None:
    page = client(calm)
    states = [do(page, "reveal", kind="variable", name="api_token")["state"] for _ in range(31)]
    assert states == ["done"] * 30 + ["failed"]


def test_the_answer_of_a_job_is_for_the_person_who_asked_and_is_given_once(calm: App) -> None:
    explorer = Explorer(calm)
    job = actions.begin(explorer, "ann", "reveal", {"kind": "variable", "name": "api_token"})
    assert job is not None
    until(lambda: job.done)
    assert explorer.jobs.take(job.id) is job
    assert explorer.jobs.take(job.id) is None


class Ending(jobs.Job):
    """A job that ends just after somebody has looked for its outcome in vain."""

    @property
    def outcome(self) -> Any:
        found, self.done = self.__dict__["outcome"] if self.done else None, True
        return found


VIEWS: dict[str, Any] = {
    "overview": pages.overview,
    "options": pages.options,
    "option": lambda explorer, query: pages.option(explorer, {"section": "server", "key": "port"}),
    "links": pages.links,
    "problems": pages.problems,
    "plan": pages.plan,
    "variables": lambda explorer, query: lists.names(explorer, query, "variable"),
    "variable": lambda explorer, query: lists.names(explorer, {"name": "api_token"}, "variable"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_page_is_made_again_if_something_ended_while_it_was_made(calm: App, name: str) -> None:
    explorer = Explorer(calm)
    until(lambda: not VIEWS[name](explorer, {})["busy"])
    assert actions.begin(explorer, "ann", "ask", {"kind": "variable", "name": "api_token"})
    until(lambda: not VIEWS[name](explorer, {})["busy"])
    until(lambda: all(job.done for job in explorer.jobs._jobs.values()))
    chain = explorer.chain()
    ending = [job for job in explorer.jobs._jobs.values() if job is not chain]
    for job in ending:
        job.__class__, job.done = Ending, False
    data = VIEWS[name](explorer, {})
    assert any(job.done for job in ending) and data["busy"] is True
    for job in ending:
        job.done = True
    assert VIEWS[name](explorer, {})["busy"] is False


def test_every_link_is_asked_by_name_and_no_value_is_shown(calm: App) -> None:
    page = client(calm)
    assert do(page, "ask", kind="variable", name="api_token")["state"] == "done"
    found = done(page, "/variables.json?name=api_token")
    assert {row["link"]: row["now"] for row in found["links"]}["metastore"] == "found"
    assert CANARY not in json.dumps(found)


@pytest.mark.external
def test_a_connection_is_tested_step_by_step(calm: App) -> None:
    answer = do(client(calm), "test", kind="connection", name="shop")
    assert answer["message"] == "the connection 'shop' does not work"
    assert [step["step"] for step in answer["steps"]] == ["tcp"]


def test_without_write_nothing_can_be_changed(calm: App) -> None:
    page = client(calm)
    for action in ("write", "delete"):
        answer = page.post(f"/do/{action}", json={"kind": "variable", "name": "api_token"}, headers=_OWN)
        assert answer.status_code == 403
    assert calm.store.get_variable("api_token") == f"{CANARY}-token"
    assert "Add a variable" not in page.get("/variables").text


def test_with_write_connections_and_variables_are_changed_as_by_the_commands(calm: App) -> None:
    page = client(calm, write=True)
    answer = do(page, "write", kind="variable", name="new", new=True, fields={"value": f"{CANARY}-new"})
    assert answer["message"] == "the variable 'new' was written to the metastore"
    assert calm.store.get_variable("new") == f"{CANARY}-new"
    assert "already" in do(page, "write", kind="variable", name="new", new=True, fields={"value": "x"})["message"]
    fields = {"conn_type": "http", "host": "h", "password": f"{CANARY}-c", "port": "80"}
    assert do(page, "write", kind="connection", name="c", new=True, fields=fields)["state"] == "done"
    assert do(page, "write", kind="connection", name="c", fields={"host": "i"})["state"] == "done"
    stored = calm.store.get_connection("c")
    assert stored is not None and (stored.host, stored.password) == ("i", f"{CANARY}-c")
    assert do(page, "write", kind="connection", name="c", new=True, fields=fields)["state"] == "failed"
    assert "not a number" in do(page, "write", kind="connection", name="c", fields={"port": "x"})["message"]
    assert do(page, "delete", kind="connection", name="c")["message"] == (
        "the connection 'c' was deleted from the metastore"
    )
    assert do(page, "delete", kind="connection", name="c")["state"] == "failed"
    assert calm.store.get_connection("c") is None
    assert CANARY not in page.get("/log").text


def test_a_write_that_an_earlier_link_shadows_warns(calm: App) -> None:
    answer = do(client(calm, write=True), "write", kind="variable", name=handle(HOSTILE[0]), fields={"value": "x"})
    assert answer["state"] == "done"
    assert "the link hostile has it too and is asked first" in answer["warnings"][0]


# What is never in a page


@pytest.mark.parametrize("name", [*HOSTILE[: len(HOSTILE) // 3], "", ".", "..", "/", "\udcff", "a" * 300])
def test_any_name_travels_unchanged(name: str) -> None:
    assert name_of(handle(name)) == name
    assert handle(name).isascii()


def test_no_page_holds_a_secret_or_markup_of_a_name(calm: App) -> None:
    page = client(calm, write=True)
    for path in ("connections", "variables", "secrets"):
        done(page, f"/{path}.json")
    texts = []
    for path in PAGES:
        texts += [page.get(f"/{path}").text, page.get(f"/{path or 'index'}.json").text]
    for kind in ("connections", "variables", "secrets"):
        for name in HOSTILE:
            answer = page.get(f"/{kind}?name={handle(name)}")
            assert answer.status_code == 200
            texts.append(answer.text)
    assert not any(CANARY in text for text in texts)
    assert not any("<script>alert" in text or "<img src=x" in text for text in texts if text.startswith("<!doctype"))


def test_a_fault_in_a_page_shows_no_traceback_and_no_text(calm: App, monkeypatch: pytest.MonkeyPatch) -> None:
    from framework.web import pages

    def broken(*_: object) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(pages, "files", broken)
    answer = client(calm).get("/index.json")
    assert answer.status_code == 500
    assert "RuntimeError" in answer.text and CANARY not in answer.text and "Traceback" not in answer.text


# Who is refused


def test_another_host_name_is_refused(process: Process) -> None:
    for host in ("evil.example", f"127.0.0.1:{process.port}", f"localhost:{process.port}", "", process.host + "."):
        assert process.ask("/", host=host)[0] in (400, 421)


def test_a_second_host_and_a_transfer_encoding_are_refused(process: Process) -> None:
    head = f"GET / HTTP/1.1\r\nhost: {process.host}\r\ncookie: {process.cookie}\r\nconnection: close\r\n"
    assert process.raw(f"{head}host: evil.example\r\n\r\n")[0] == 400
    assert process.raw(f"{head}transfer-encoding: chunked\r\n\r\n0\r\n\r\n")[0] == 400


def test_without_the_cookie_nothing_is_answered(process: Process) -> None:
    for path in PAGES:
        status, answer = process.ask(f"/{path}", cookie="explorer=guess")
        assert status == 401
        assert "billing" not in answer


def test_a_link_works_once(process: Process) -> None:
    link = process.link.partition(process.host)[2]
    assert process.ask(link, cookie=None)[0] == 403
    assert process.ask("/enter?token=%ff", cookie=None)[0] == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"},
        {"origin": "http://evil.example"},
        {"origin": None},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
    ],
)
def test_an_unsafe_request_that_another_site_causes_is_refused(
    process: Process, headers: dict[str, str | None]
) -> None:
    for path in ("/do/reveal", "/options", "/compare", "/job"):
        assert process.ask(path, {"kind": "variable", "name": "api_token"}, **headers)[0] in (403, 415)


@pytest.mark.parametrize("dest", ["script", "iframe", "image", "empty", "style", "object"])
def test_another_site_can_only_link_to_a_page(process: Process, dest: str) -> None:
    mode = "navigate" if dest == "iframe" else "no-cors"
    for site in ("cross-site", "same-site"):
        asked = {"sec_fetch_site": site, "sec_fetch_mode": mode, "sec_fetch_dest": dest}
        assert process.ask("/options.json", **asked)[0] == 403
    asked = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert process.ask("/options", **asked)[0] == 200


def test_other_methods_and_large_bodies_are_refused(process: Process) -> None:
    head = f"host: {process.host}\r\ncookie: {process.cookie}\r\nconnection: close\r\n\r\n"
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE"):
        assert process.raw(f"{method} /options HTTP/1.1\r\n{head}")[0] == 405
    assert process.ask("/do/reveal", {"name": "x" * 100_001})[0] == 413


def test_every_answer_forbids_foreign_code_and_keeping(process: Process) -> None:
    for path in ("/", "/options.json", "/static/explorer.js", "/nowhere", "/enter?token=x"):
        _, answer = process.ask(path)
        head = answer.partition("\r\n\r\n")[0].lower()
        for line in (
            "cache-control: no-store", "referrer-policy: no-referrer", "x-content-type-options: nosniff",
            "x-frame-options: deny", "cross-origin-opener-policy: same-origin", "require-trusted-types-for 'script'",
            "frame-ancestors 'none'", "default-src 'none'",
        ):  # fmt: skip
            assert line in head, (path, line)
        assert "unsafe-inline" not in head and "server:" not in head


def test_pages_stay_quick_while_reveals_hang(process: Process) -> None:
    for number in range(20):
        status, _ = process.ask("/do/ask", {"kind": "variable", "name": f"n{number}"})
        assert status == 200
    began = time.monotonic()
    assert process.ask("/options")[0] == 200
    assert time.monotonic() - began < GUARD


def test_waiting_questions_are_limited_and_pages_still_work(wild: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MOST", 5)
    page = client(wild)
    states = {do_not_wait(page, f"n{number}") for number in range(6)}
    assert states == {200, 409}
    assert all(page.get(f"/{path}").status_code == 200 for path in PAGES)


def do_not_wait(page: TestClient, name: str) -> int:
    return page.post("/do/ask", json={"kind": "variable", "name": name}, headers=_OWN).status_code


def test_its_own_log_names_what_was_shown_and_no_value(process: Process) -> None:
    process.ask("/do/reveal", {"kind": "option", "name": "server%0Aapi_password"})
    process.wait_for(r"reveal: option .*: shown")
    assert CANARY not in process.log.read_text()


# The process


def test_it_ends_soon_after_sigterm_with_a_store_that_hangs(tmp_path: Path) -> None:
    make(tmp_path / "home")
    made = Process(tmp_path / "home")
    try:
        made.enter()
        made.ask("/")
        made.ask("/do/ask", {"kind": "variable", "name": "x"})
        made.process.send_signal(signal.SIGTERM)
        assert made.process.wait(GUARD) == 0
    finally:
        made.end()


def test_a_socket_is_for_its_user_alone_and_is_removed_with_the_process(tmp_path: Path) -> None:
    import http.client
    import socket as sockets

    make(tmp_path / "home", backends="hostile", hang=False)
    path = tmp_path / "s"
    made = Process(tmp_path / "home", "--socket", str(path))
    try:
        made.wait_for("listens at")
        assert path.stat().st_mode & 0o777 == 0o600
        connection = http.client.HTTPConnection("explorer.example")
        connection.sock = sockets.socket(sockets.AF_UNIX)
        until(lambda: _connected(connection.sock, path))
        connection.request("GET", "/options.json", headers={"X-Forwarded-User": "ann"})
        assert connection.getresponse().status == 200
        made.process.terminate()
        assert made.process.wait(GUARD) == 0
        assert not path.exists()
    finally:
        made.end()


def _connected(sock: Any, path: Path) -> bool:
    try:
        sock.connect(str(path))
    except OSError:
        return False
    return True


def test_a_browser_gets_the_link_in_a_private_file_that_is_removed_after_use(tmp_path: Path) -> None:
    make(tmp_path / "home", backends="hostile", hang=False)
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/argument.part && mv {tmp_path}/argument.part {tmp_path}/argument\n'
    )
    browser.chmod(0o700)
    made = Process(tmp_path / "home", "--open", environ={"BROWSER": str(browser)})
    try:
        until((tmp_path / "argument").exists)
        argument = (tmp_path / "argument").read_text().strip()
        assert "token" not in argument
        page = Path(argument.removeprefix("file://"))
        assert page.stat().st_mode & 0o777 == 0o600
        assert made.link in page.read_text()
        made.enter()
        assert not page.exists()
    finally:
        made.end()


def test_a_file_that_is_not_a_socket_is_not_replaced(tmp_path: Path) -> None:
    make(tmp_path / "home", backends="hostile", hang=False)
    (tmp_path / "s").write_text("precious")
    words = ["--project", str(tmp_path / "home"), "explore", "--socket", str(tmp_path / "s")]
    ended = subprocess.run([sys.executable, "-m", "framework", *words], capture_output=True, text=True)
    assert ended.returncode == 1 and "something else is there" in ended.stderr
    assert (tmp_path / "s").read_text() == "precious"


def test_the_environment_of_another_process_is_shown_and_named(tmp_path: Path) -> None:
    make(tmp_path / "home", backends="hostile", hang=False)
    environ = {**os.environ, "BILLING__SERVER__PORT": "7777"}
    service = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environ)
    made = Process(tmp_path / "home", "--pid", str(service.pid))
    try:
        made.enter()
        assert "7777" in made.ask("/option.json?section=server&key=port")[1]
        assert f"with which process {service.pid} was started" in made.ask("/")[1]
    finally:
        made.end()
        service.kill()
        service.wait()


def test_commands_load_nothing_of_the_explorer() -> None:
    code = "import framework, sys; from framework.cli.main import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loaded.isdisjoint({"starlette", "uvicorn", "jinja2", "framework.web", "framework.inspection.listing"})


def test_the_scripts_of_the_explorer_are_small() -> None:
    from importlib import resources

    assert len(resources.files("framework.web").joinpath("static").joinpath("explorer.js").read_bytes()) <= 6000
