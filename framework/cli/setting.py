"""`config set` and `config unset`: one option of the main cfg file."""

from __future__ import annotations

import os

from framework.cli.edit import CfgText, edit
from framework.cli.output import OK, print_message, print_note, print_warning
from framework.convert import expand, to_text
from framework.errors import ConfigError, FrameworkError, InvalidValue
from framework.layers.base import Layer
from framework.masking import should_hide_value_for_name
from framework.masking.shown import shown
from framework.names import POINTER_FORMS
from framework.options.notices import nearest
from framework.options.references import parse_reference
from framework.options.values import Mention

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from framework.app import App
    from framework.layers.base import Getenv


class _Alone(Layer):
    """A value in no file yet, read as it will be in one: `%` is doubled when it is written, `$` and `~` are not."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("main cfg", "", {})

    def read(self, raw: object, section: str, key: str, where: str, getenv: Getenv) -> str:
        return to_text(expand(raw, getenv))


class _Target:
    """The target of a command: an option, the form in which it is written, and the file.

    Raises:
        ConfigError: there is no main file.
    """

    __slots__ = ("app", "section", "key", "form", "written", "path")

    def __init__(self, app: App, section: str, key: str) -> None:
        section, key, self.form, self.app = section.lower(), key.lower(), "plain", app
        base, _, form = key.rpartition("_")
        is_option = app.schema.option(*app.engine.current_name(section, key)) is not None
        if form in POINTER_FORMS and not is_option and app.engine.may_point(*app.engine.current_name(section, base)):
            key, self.form = base, form
        self.section, self.key = app.engine.current_name(section, key)
        if (self.section, self.key) != (section, key):
            print_note(f"[{section}] {key} is now called [{self.section}] {self.key}, so it is written under that name")
        self.written = self.key if self.form == "plain" else f"{self.key}_{self.form}"
        self.path = app.main_file()[0]

    @property
    def option(self) -> str:
        return f"[{self.section}] {self.written}"


def set_option(app: App, args: Namespace) -> int:
    """Write an option, if it is declared and the value is valid."""
    target = _Target(app, args.section, args.option)
    _refuse_unknown(target, force=args.force)
    _refuse_secret(target, args.value, force=args.force)
    value = _checked(target, args.value)
    raw = args.value.replace("%", "%%")
    before: str | None = None
    line = 0

    def change(text: CfgText) -> None:
        nonlocal before, line
        _refuse_beaten(target, text)
        name = text.find(target.section, target.written)
        before = text.texts[name[0]][name[1]] if name is not None else None
        line = text.line(text.set(target.section, target.written, raw))

    edit(target.path, change)
    place = f"{target.path}:{line}: {target.option}"
    if before == raw:
        print_message(f"{place} already has this value")
    elif target.form != "plain" or app.engine.is_hidden(target.section, target.key):
        print_message(f"{place} was written")
    else:
        was = "" if before is None else f" (it was {shown(before)})"
        print_message(f"{place} = {shown(args.value)}{was}")
    if target.form == "plain" and value != args.value:
        print_note("'$' and a leading '~' in it are expanded whenever it is read")
    _warn_if_shadowed(target)
    return OK


def unset_option(app: App, args: Namespace) -> int:
    """Remove an option."""
    target = _Target(app, args.section, args.option)
    gone = False

    def change(text: CfgText) -> None:
        nonlocal gone
        name = text.find(target.section, target.written)
        if name is not None:
            text.remove(name)
            gone = True

    if os.path.exists(target.path):
        edit(target.path, change)
    if not gone:
        raise ConfigError(f"{target.option} is not set there", where=target.path)
    print_message(f"{target.path}: {target.option} was removed")
    _warn_if_shadowed(target)
    return OK


def _refuse_unknown(target: _Target, *, force: bool) -> None:
    app = target.app
    if not app.schema.declared or force or app.schema.option(target.section, target.key) is not None:
        return
    if app.schema.is_open(target.section):
        return
    near = nearest(target.app.engine, target.section, target.key)
    hint = f"Did you mean [{near[0]}] {near[1]}? " if near and app.schema.option(*near) else ""
    raise ConfigError(
        "no such option is declared, so nothing was written",
        where=target.option,
        hint=f"{hint}To write it all the same, pass --force.",
    )


def _refuse_secret(target: _Target, value: str, *, force: bool) -> None:
    """Refuse to write a secret into a file, which is read, copied and backed up."""
    app, section, key = target.app, target.section, target.key
    declared = app.engine.is_sensitive(section, key)
    looks_so = app.schema.option(section, key) is None and should_hide_value_for_name(f"{section}.{key}")
    if target.form != "plain" or not value or not (declared or (looks_so and not force)):
        return
    raise ConfigError(
        "the option is sensitive, so its value is not written to a file"
        if declared
        else "the option looks like a secret, so its value is not written to a file",
        where=target.option,
        hint=f"Write where the value is instead: config set {section} {key}_secret NAME, {key}_cmd COMMAND or "
        f"{key}_file PATH; or set {app.names.option(section, key)} in the environment."
        + ("" if declared else " If it is not a secret, pass --force."),
    )


def _checked(target: _Target, value: str) -> str:
    """The value as the application will read it.

    Raises:
        InvalidValue: it does not convert, or is not one of the choices.
    """
    app, section, key = target.app, target.section, target.key
    if target.form == "secret":
        try:
            parse_reference(value)
        except ValueError as fault:
            raise InvalidValue(str(fault), where=target.option, hint="Write the name of a secret.") from None
    elif target.form != "plain" and not value.strip():
        raise InvalidValue("a pointer cannot be empty", where=target.option, hint="Write what it points to.")
    if target.form != "plain":
        return value
    layer = _Alone()
    answer = app.engine.resolve(Mention("main cfg", "value", section, key, (section, key), "plain", value, layer))
    if value:
        app.conf.typed(answer)
    return layer.read(value, section, key, "", app.environment.get)


def _refuse_beaten(target: _Target, text: CfgText) -> None:
    """Refuse if another form of the option is already in the file: one of the two would have no effect."""
    for form in ("plain", *POINTER_FORMS):
        written = target.key if form == "plain" else f"{target.key}_{form}"
        name = text.find(target.section, written)
        if form != target.form and name is not None and target.app.engine.may_point(target.section, target.key):
            if form != "plain" and target.app.schema.option(target.section, written) is not None:
                continue
            raise ConfigError(
                f"[{target.section}] {written} is already set there, and one of the two would have no effect",
                where=f"{target.path}:{text.line(name)}",
                hint=f"Remove it first: config unset {target.section} {written}",
            )


def _warn_if_shadowed(target: _Target) -> None:
    try:
        target.app.reload()
        mention = next(target.app.engine.mentions(target.section, target.key), None)
    except FrameworkError:
        return
    if mention is None:
        return
    if mention.layer not in ("main cfg", "default"):
        print_warning(f"{mention.origin} sets [{target.section}] {target.key} too, and wins")
    elif mention.is_old_name:
        old = f"[{mention.name[0]}] {mention.name[1]}"
        print_warning(f"{mention.origin} sets it by its older name {old}: see `config update`")
