"""The explorer in a real Chromium: Debian's, which is driven by playwright. Nothing else is downloaded but axe-core."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe
import pytest
from explorer_world import CANARY, HOSTILE, Process, make
from patience import GUARD, until

from framework.masking.search import visible
from framework.web.handles import handle

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed: apt-get install chromium")

PATHS = (
    "/", "/options", "/option?section=server&key=port", "/option?section=server&key=api_password", "/connections",
    "/connections?name=shop", "/variables", "/variables?name=unlisted", "/secrets", "/secrets?name=db-password",
    "/links", "/problems", "/plan", "/compare", "/log",
)  # fmt: skip
#: All names of every kind, or in short a third of them, each of one kind.
_ALL = bool(os.environ.get("FRAMEWORK_EXPLORER_ALL"))
_FLAGS = {
    "executable_path": CHROMIUM,
    "args": ["--no-sandbox"] if os.geteuid() == 0 else [],
    "timeout": GUARD * 1000,
}
playwright.expect.set_options(timeout=GUARD * 1000)


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with playwright.sync_playwright() as made:
        yield made


@pytest.fixture(scope="module")
def chromium(driver: Any) -> Iterator[Any]:
    browser = driver.chromium.launch(**_FLAGS)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The explorer over stores that hang, refuse, and cannot list."""
    home = tmp_path_factory.mktemp("browser") / "home"
    make(home)
    made = Process(home, "--write")
    yield made
    made.end()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The explorer over a store that answers."""
    home = tmp_path_factory.mktemp("browser") / "home"
    make(home, backends="hostile", hang=False)
    made = Process(home, "--write")
    yield made
    made.end()


class Visit:
    """A page, and all that it complains of: errors, what a policy blocks, dialogs, requests to elsewhere."""

    def __init__(self, context: Any, explorer: Process) -> None:
        self.explorer, self.page, self.complaints = explorer, context.new_page(), list[str]()
        context.set_default_timeout(GUARD * 1000)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append("a dialog"), dialog.dismiss()))
        self.page.on("request", self._look)
        self.page.goto(explorer.wait_for(r"open: (http://\S+)"))

    def _look(self, request: Any) -> None:
        if not request.url.startswith(f"http://{self.explorer.host}/"):
            self.complaints.append(f"a request to {request.url}")

    def go(self, path: str) -> Any:
        self.page.goto(f"http://{self.explorer.host}{path}")
        return self.page

    def settled(self, path: str) -> Any:
        page = self.go(path)
        page.wait_for_selector("#live[data-busy=no]")
        return page


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Any]:
    contexts = []

    def opened(process: Process, **more: Any) -> Visit:
        contexts.append(chromium.new_context(**more))
        return Visit(contexts[-1], process)

    yield opened
    for context in contexts:
        context.close()


# A pleasure to read


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule_of_accessibility(explorer: Process, open_page: Any, scheme: str) -> None:
    script, visit = axe.source(), open_page(explorer, color_scheme=scheme)
    for path in PATHS:
        page = visit.go(path)
        for summary in page.query_selector_all("summary"):
            summary.click()
        page.evaluate(script)
        found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})")
        assert [(path, one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    assert visit.complaints == []


def test_no_page_scrolls_sideways_on_a_small_screen(explorer: Process, open_page: Any) -> None:
    visit = open_page(explorer, viewport={"width": 320, "height": 640})
    for path in PATHS:
        assert visit.go(path).evaluate("document.documentElement.scrollWidth") <= 320, path


def test_everything_can_be_done_with_the_keyboard(calm: Process, open_page: Any) -> None:
    visit = open_page(calm)
    page = visit.settled("/")
    keys = page.keyboard

    def tab_to(text: str) -> None:
        for _ in range(80):
            keys.press("Tab")
            if page.evaluate("document.activeElement.textContent").strip() == text:
                return
        raise AssertionError(f"{text} is not reached")

    tab_to("Variables")
    keys.press("Enter")
    page.wait_for_url("**/variables")
    keys.press("/")
    keys.type("api_tok")
    playwright.expect(page.locator("#live tbody tr")).to_have_count(1)
    tab_to("api_token")
    keys.press("Enter")
    page.wait_for_url("**/variables?name=api_token")
    tab_to("Show the value")
    keys.press("Enter")
    playwright.expect(page.locator(".result pre")).to_have_text(f"{CANARY}-token")
    assert visit.complaints == []


def test_a_list_grows_while_a_link_is_slow(tmp_path: Path, open_page: Any) -> None:
    make(tmp_path / "home", backends="hung, hostile")
    process = Process(tmp_path / "home")
    try:
        visit = open_page(process)
        page = visit.go("/variables?q=api_token")
        playwright.expect(page.locator(".unsure")).to_have_text("unless hung has it")
        playwright.expect(page.locator("[role=status]")).to_contain_text("so far")
        (tmp_path / "home" / "hang").unlink()
        playwright.expect(page.locator(".unsure")).to_have_count(0)
        assert visit.complaints == []
    finally:
        process.end()


def test_what_is_typed_filters_at_once_and_stays_out_of_the_address(calm: Process, open_page: Any) -> None:
    visit = open_page(calm)
    page = visit.settled("/options")
    page.locator("#q").press_sequentially("9090 port")
    playwright.expect(page.locator("#live tbody tr")).to_have_count(1)
    assert page.evaluate("document.activeElement.id") == "q"
    assert page.url.endswith("/options")
    page.locator("#q").press("Enter")
    page.select_option("select[name=state]", "contested")
    playwright.expect(page.locator("#live tbody tr")).to_have_count(1)
    assert page.url.endswith("/options")
    assert visit.complaints == []


def test_a_long_list_is_read_page_by_page(calm: Process, open_page: Any) -> None:
    page = open_page(calm).settled("/secrets")
    playwright.expect(page.locator("#live tbody tr")).to_have_count(100)
    page.click("text=Next")
    playwright.expect(page.locator("#live tbody tr")).to_have_count(len(HOSTILE) - 100)


# What is shown, and for how long


def test_a_value_is_hidden_again_after_a_while_and_with_the_page(calm: Process, open_page: Any) -> None:
    visit = open_page(calm)
    page = visit.page
    page.clock.install()
    visit.go("/option?section=server&key=api_password")
    assert CANARY not in page.content()
    page.click("text=Show the value")
    playwright.expect(page.locator(".result pre")).to_have_text(f"{CANARY}-plain")
    page.clock.fast_forward(31_000)
    playwright.expect(page.locator(".result pre")).to_have_count(0)
    page.click("text=Show the value")
    playwright.expect(page.locator(".result pre")).to_have_count(1)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true});document.dispatchEvent(new Event('visibilitychange'))"
    )
    assert CANARY not in page.content()
    assert visit.complaints == []


def test_a_connection_is_tested_and_a_variable_written_and_deleted(calm: Process, open_page: Any) -> None:
    visit = open_page(calm)
    page = visit.settled("/connections?name=shop")
    page.click("text=Test the connection")
    playwright.expect(page.locator(".result").first).to_contain_text("the connection 'shop' does not work")
    playwright.expect(page.locator(".result").first).to_contain_text("✗ tcp")
    page = visit.settled("/variables")
    page.click("summary")
    page.fill("[data-field=name]", "a/b ü")
    page.fill("[data-field=value]", f"{CANARY}-typed")
    page.click("text=Write to the metastore")
    playwright.expect(page.locator("form .result")).to_contain_text("was written to the metastore")
    assert page.input_value("[data-field=value]") == ""
    page = visit.settled(f"/variables?name={handle('a/b ü')}")
    page.click("text=Delete it from the metastore")
    page.click("button.danger")
    playwright.expect(page.locator("details .result").last).to_contain_text("was deleted from the metastore")
    playwright.expect(visit.go("/log").locator("tbody tr").first).to_contain_text("delete")
    assert CANARY not in page.content()
    assert visit.complaints == []


# Names, places and other sites


def test_no_name_is_taken_for_code(calm: Process, open_page: Any) -> None:
    visit = open_page(calm)
    kinds = ("connections", "variables", "secrets")
    for kind in kinds:
        visit.settled(f"/{kind}")
        visit.settled(f"/{kind}?page=2")
    for number, name in enumerate(HOSTILE):
        for kind in kinds if _ALL else kinds[number % 3 : number % 3 + 1]:
            page = visit.go(f"/{kind}?name={handle(name)}")
            assert page.locator("h1 bdi").evaluate("e => e.textContent") == visible(name)
    assert visit.complaints == []


@pytest.mark.parametrize("number", [0, 14, 15, 17], ids=["markup", "nul", "direction", "line end"])
def test_a_button_acts_on_the_name_as_it_is(calm: Process, open_page: Any, number: int) -> None:
    visit = open_page(calm)
    page = visit.settled("/variables")
    page.fill("#q", HOSTILE[number][:1] if number == 14 else HOSTILE[number].replace("\n", ""))
    page = visit.go(f"/variables?name={handle(HOSTILE[number])}")
    page.click("text=Show the value")
    playwright.expect(page.locator(".result pre")).to_have_text(f"{CANARY}-variable")


class _Elsewhere(http.server.BaseHTTPRequestHandler):
    """Another server of this machine, which attacks."""

    page = b""
    cookies: list[str] = []

    def do_GET(self) -> None:
        self.cookies.append(self.headers.get("Cookie", ""))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[http.server.ThreadingHTTPServer]:
    _Elsewhere.cookies = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_another_server_of_this_machine_is_sent_no_cookie(calm: Process, open_page: Any, elsewhere: Any) -> None:
    page = open_page(calm).page
    for host in ("127.0.0.1", "localhost", "other.localhost"):
        page.goto(f"http://{host}:{elsewhere.server_port}/")
    assert set(_Elsewhere.cookies) == {""}


def test_another_site_can_do_and_read_nothing(calm: Process, open_page: Any, elsewhere: Any) -> None:
    visit = open_page(calm)
    before = len(json.loads(calm_log(visit))["rows"])
    there = f"http://{calm.host}"
    body = json.dumps({"kind": "variable", "name": "api_token"})
    _Elsewhere.page = f"""<!doctype html><title>elsewhere</title>
    <iframe name=inner src="{there}/options"></iframe>
    <script src="{there}/options.json"></script>
    <form id=f method=post enctype=text/plain target=inner action="{there}/do/reveal"><input name='{body}'></form>
    <script>
    const one = (mode, type) => fetch("{there}/do/reveal", {{method: "POST", mode, credentials: "include",
        headers: {{"Content-Type": type}}, body: '{body}'}}).then((r) => r.type + r.status, () => "refused");
    f.submit();
    Promise.all([one("cors", "application/json"), one("no-cors", "text/plain"), one("cors", "text/plain"),
        fetch("{there}/options.json", {{credentials: "include"}}).then(() => "read", () => "refused")])
        .then((all) => {{ document.title = all.join(" "); }});
    </script>""".encode()
    for host in ("127.0.0.1", f"{calm.host.split(':')[0]}"):  # the same site on another port, too
        page = visit.page.context.new_page()
        page.goto(f"http://{host}:{elsewhere.server_port}/")
        until(lambda page=page: page.title() != "elsewhere")
        assert page.title() == "refused refused refused refused"
        assert not any("9090" in (frame.content() if frame.url.startswith("http://1") else "") for frame in page.frames)
    assert len(json.loads(calm_log(visit))["rows"]) == before


def calm_log(visit: Visit) -> str:
    return str(visit.page.context.new_page().goto(f"http://{visit.explorer.host}/log.json").text())


def test_a_profile_and_a_recording_hold_only_what_was_shown(calm: Process, driver: Any, tmp_path: Path) -> None:
    profile, recording = tmp_path / "profile", tmp_path / "all.har"
    context = driver.chromium.launch_persistent_context(str(profile), record_har_path=str(recording), **_FLAGS)
    visit = Visit(context, calm)
    cookie = context.cookies()[0]["value"]
    for path in PATHS:
        visit.go(path)
    page = visit.go("/options")
    page.locator("#q").press_sequentially(f"{CANARY}-pasted")
    playwright.expect(page.locator(".empty")).to_be_visible()
    page = visit.go("/variables?name=api_token")
    page.click("summary")
    page.fill("[data-field=value]", f"{CANARY}-typed")
    page.click("text=Show the value")
    playwright.expect(page.locator(".result pre")).to_have_text(f"{CANARY}-token")
    visit.go("/log")
    context.close()
    kept = b"".join(path.read_bytes() for path in profile.rglob("*") if path.is_file())
    assert CANARY.encode() not in kept
    assert cookie.encode() not in kept
    entries = json.loads(recording.read_text())["log"]["entries"]
    shown = {re.sub(r".*/(do|job).*", r"\1", entry["request"]["url"]) for entry in entries if CANARY in _answer(entry)}
    assert shown <= {"do", "job"}


def _answer(entry: dict[str, Any]) -> str:
    content = entry["response"]["content"]
    return json.dumps(content)
