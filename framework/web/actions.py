"""What a page can do: show a value, ask links, test a connection, change the metastore. Each is a job."""

from __future__ import annotations

from time import monotonic

from framework.convert import to_text
from framework.errors import FrameworkError, InvalidConnection
from framework.inspection import changes
from framework.inspection.listing import WORDS
from framework.web.explorer import PAGES, Explorer
from framework.web.guard import Refused
from framework.web.handles import name_of
from framework.web.jobs import KEPT, Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.connection import Connection

    Body = dict[str, Any]

#: What `Request.state.action` is for each action.
NEEDS = {
    "reveal": "reveal",
    "ask": "read",
    "test": "test",
    "refresh": "read",
    "check": "read",
    "reload": "read",
    "write": "write",
    "delete": "write",
}
#: How long one step of a test may take, in seconds.
_STEP = 10.0
#: The fields of a connection that a form has.
_FIELDS = ("conn_type", "host", "port", "login", "password", "schema", "extra", "description")


def begin(explorer: Explorer, who: str, action: str, body: Body) -> Job | None:
    """Start an action; None if there is nothing to wait for.

    Raises:
        Refused: the request makes no sense.
        FrameworkError: it cannot be done now.
    """
    if action == "refresh":
        for kind in PAGES if body.get("kind") is None else [_kind(body)]:
            explorer.refresh(kind)
        return None
    if action == "check":
        explorer.check(stores=body.get("stores") is True)
        return None
    if action == "reload":
        if not explorer.owned:
            raise Refused(403, "the application belongs to another program, so it is not reloaded from here")
        explorer.app.reload()
        explorer.note(who, "reload", "application", explorer.app.name, "the files were read again")
        return None
    if action in ("write", "delete") and not explorer.write:
        raise Refused(403, "nothing can be changed here: start the explorer with --write")
    kind = "option" if body.get("kind") == "option" else _kind(body)
    name = name_of(str(body.get("name", "")))
    if action in ("test", "write", "delete") and kind not in ("connection", "variable")[: 1 if action == "test" else 2]:
        raise Refused(400, "that cannot be done with this kind of name")
    if action == "reveal":
        explorer.count_reveal(who)
    work = {"reveal": _reveal, "ask": _ask, "test": _test, "write": _write, "delete": _delete}[action]
    kept = 600.0 if action == "ask" else KEPT
    key = explorer.key(action, kind, name, *((who,) if action == "reveal" else ()))
    before = explorer.jobs.get(key)
    job = explorer.jobs.start(key, lambda job: work(explorer, kind, name, body, job), fresh=True, keep=kept)
    if job is not before:
        job.about = (who, action, kind, name)
    return job


def _kind(body: Body) -> str:
    kind = body.get("kind")
    if kind not in PAGES:
        raise Refused(400, "unknown kind of name")
    return str(kind)


def state_of(explorer: Explorer, job: Job) -> dict[str, object]:
    """The state of an action, for the page; what was shown is logged before it is sent."""
    who, action, kind, name = job.about
    if not job.done:
        steps = job.steps if action == "test" else []
        return {"state": "running", "job": job.id, "seconds": round(job.seconds, 1), "steps": steps}
    words = WORDS.get(kind, (kind,))[0]
    answer: dict[str, Any] = {"seconds": round(job.seconds, 2), "warnings": [explorer.text(w) for w in job.warnings]}
    if job.failure is not None:
        fault = explorer.text(job.failure)
        explorer.note(who, action, words, name, fault)
        return {**answer, "state": "failed", "message": fault}
    if action == "reveal":
        value, link = job.outcome
        explorer.note(who, action, words, name, f"shown{f', from {link}' if link else ''}")
        return {**answer, "state": "done", "value": value, "link": link}
    if action == "ask":
        return {**answer, "state": "done", "message": ""}
    if action == "test":
        works, sentence = job.outcome
        explorer.note(who, action, words, name, "works" if works else "does not work")
        return {**answer, "state": "done", "ok": works, "message": sentence, "steps": job.steps}
    explorer.note(who, action, words, name, "done")
    return {**answer, "state": "done", "ok": True, "message": job.outcome}


def _reveal(explorer: Explorer, kind: str, name: str, body: Body, job: Job) -> tuple[str, str | None]:
    """The value as the application gets it, and the link that has it."""
    app = explorer.app
    if kind == "option":
        section, _, key = name.partition("\n")
        answer = app.answer(section, key)
        return to_text(answer.value), answer.link
    if kind == "connection":
        connection, link = app.chain.connection(name)
        try:
            return connection.get_uri(), link
        except InvalidConnection:  # a port or a type that no URI can hold
            return connection.as_json(), link
    value, link = app.chain.variable(name) if kind == "variable" else app.chain.config(name)
    if kind == "variable":
        app.hide_variable(name, value)
    return to_text(value), link


def _ask(explorer: Explorer, kind: str, name: str, body: Body, job: Job) -> list[tuple[str, str]]:
    """What every link answers, asked now. No value is shown."""

    def add_step(link: str, state: str) -> None:
        job.steps.append({"link": link, "state": explorer.text(state)})

    found = explorer.app.chain.explain(kind, name, monotonic(), add_step)
    return [(link, explorer.text(state)) for link, state in found]


def _test(explorer: Explorer, kind: str, name: str, body: Body, job: Job) -> tuple[bool, str]:
    steps = []
    for step in changes.tested(explorer.app, name, _STEP):
        steps.append(step)
        job.steps.append(step.row())
    return changes.verdict(name, steps)


def _write(explorer: Explorer, kind: str, name: str, body: Body, job: Job) -> str:
    """Add or change what the metastore has."""
    app, given = explorer.app, body.get("fields")
    fields = {word: text for word, text in given.items() if isinstance(text, str)} if isinstance(given, dict) else {}
    is_new = body.get("new") is True
    if kind == "variable":
        if is_new and app.store.get_variable(name) is not None:
            raise InvalidConnection(f"the metastore has the variable {name!r} already", hint="Open it to change it.")
        done = changes.write_variable(app, name, fields.get("value", ""), fields.get("description") or None)
    else:
        done = changes.write_connection(app, _connection(explorer, name, fields, is_new), overwrite=not is_new)
    explorer.refresh(kind)
    return done


def _connection(explorer: Explorer, name: str, fields: dict[str, str], is_new: bool) -> Connection:
    """The connection of a form. A field that is left empty keeps what is stored."""
    if uri := fields.get("uri", "").strip():
        return changes.made(name, json=uri) if uri.startswith("{") else changes.made(name, uri=uri)
    stored = None if is_new else explorer.app.store.get_connection(name)
    before = {} if stored is None else stored.to_dict()
    before = {word: before.get(word) for word in _FIELDS}
    new: dict[str, Any] = {word: fields[word] for word in _FIELDS if fields.get(word)}
    if port := new.get("port"):
        if not (port.isascii() and port.isdecimal()):
            raise InvalidConnection("the port is not a number", hint="Write a number, such as 5432.")
        new["port"] = int(port)
    if not (new.get("conn_type") or before["conn_type"]):
        raise InvalidConnection("a connection needs a type", hint="Write a type such as postgres, or a URI.")
    return changes.made(name, **{**before, **new})


def _delete(explorer: Explorer, kind: str, name: str, body: Body, job: Job) -> str:
    app = explorer.app
    if kind == "connection":
        done: str | None = changes.delete_connection(app, name)
    else:
        done = changes.delete_variable(app, name)
    explorer.refresh(kind)
    return done or "the metastore had no such key"


__all__ = ["NEEDS", "FrameworkError", "begin", "state_of"]
