"""What backends on other machines share, so that each says only what is its own.

`RemoteBackend` is for any of them, `RemoteStore` for stores of named texts.
"""

from __future__ import annotations

from framework.backends.base import TeamsBackend, read_each
from framework.backends.named import StoreBackend
from framework.backends.quiet import Quietly
from framework.backends.session import OnePerProcess
from framework.errors import BackendError, BackendUnavailable, FrameworkError, InvalidSecret, SecretsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from inspect import Signature
    from typing import Any

    Fault = tuple[type[SecretsError], str, str] | None  # the error, what it says, what to do; None: absent


class _Signature:
    """What `inspect.signature` says of a class: its constructor's parameters, and those that it hands on."""

    def __get__(self, instance: object, owner: type[RemoteBackend]) -> Signature:
        from inspect import Parameter, Signature, signature

        found: dict[str, Parameter] = {}
        for each in owner.__mro__[:-1]:
            if "__init__" not in vars(each):
                continue
            _, *own = signature(vars(each)["__init__"]).parameters.values()
            for parameter in own:
                found.setdefault(parameter.name, parameter.replace(kind=max(parameter.kind, Parameter.KEYWORD_ONLY)))
            if own and own[-1].kind is not Parameter.VAR_KEYWORD:
                break
        found.pop("names", None)
        for name, annotation in owner.settings.__annotations__.items():
            default = getattr(owner.settings, name)
            found[name] = Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for kind, switch in StoreBackend.switches.items():
            if owner.switches[kind] != switch:  # the class calls it otherwise
                found.pop(switch, None)
        return Signature(sorted(found.values(), key=lambda parameter: parameter.kind))


class NoSettings:
    """What a class has that declares no `settings`."""


class RemoteBackend(TeamsBackend):
    """A backend on another machine, over a client library.

    A subclass fills in the attributes, and writes `open` and `code_of`; its look-ups call `ask`. The library is
    imported when it is first needed and keeps quiet. There is one client in each process. An expired login is renewed
    once. Exceptions become our errors.

    Attributes:
        store: what messages call the store.
        packages: the modules that must be there, and the package that pip calls them by: `{"hvac": "hvac"}`.
        extra: the extra of this package that installs them; empty: they are named one by one.
        quiet: the packages whose log records are dropped during a call.
        expired: the codes after which a new client is opened and the question asked once more.
        acts: what is done -> how messages say it, and the right that it needs, for `{doing}` and `{right}`.
        faults: code -> the error, what it says and what to do. None: the store says that the secret is absent. The
            empty code stands for all others. Both texts may hold `{code}`, `{doing}` and `{right}`.
        settings: a class whose annotated attributes are more kwargs and their defaults, for a backend with many that it
            only hands on; see `settings_of`.
        logins: how often this process has logged in.
    """

    __signature__ = _Signature()

    store: str = ""
    packages: Mapping[str, str] = {}
    extra: str = ""
    quiet: tuple[str, ...] = ()
    expired: Iterable[str] = ()
    acts: Mapping[str, tuple[str, str]] = {"read": ("reading it", ""), "list": ("listing the secrets", "")}
    faults: Mapping[str, Fault] = {}
    settings: type[Any] = NoSettings

    def __init__(self) -> None:
        self.logins = 0
        self._clients = OnePerProcess(self._opened)

    def open(self) -> Any:
        """A client that has logged in, or logs in by itself. What it raises names no secret: see `not_opened`."""
        raise NotImplementedError

    def code_of(self, fault: Exception) -> str | tuple[str, str]:
        """The store's own word for what happened, a key of `faults`; with a second text, messages show that one."""
        raise NotImplementedError

    def settings_of(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """All of `settings` by name, as they are given or by default. Raises TypeError for a kwarg that is none."""
        known = self.settings.__annotations__
        if unknown := [name for name in kwargs if name not in known]:
            raise TypeError(f"{type(self).__name__} takes no argument {unknown[0]!r}")
        return {name: kwargs.get(name, getattr(self.settings, name)) for name in known}

    def not_opened(self, fault: Exception) -> FrameworkError:
        """What an exception in `open` means."""
        what = f"its kwargs make no client ({type(fault).__name__})"
        return BackendError(what, where=self.store, hint="Check backend_kwargs.")

    def is_expired(self, fault: Exception) -> bool:
        """Whether a new login may help."""
        code = self.code_of(fault)
        return (code if isinstance(code, str) else code[0]) in self.expired

    def where(self, name: str = "", version: str | None = None) -> str:
        """The place in the store, for messages; without a name that of the list."""
        return f"{self.store}: {name or 'the list of secrets'}" + (f", version {version}" if version else "")

    def ask(self, question: Callable[[Any], Any], name: str = "", version: str | None = None, act: str = "read") -> Any:
        """What the store answers; None if it says that there is no such thing. Once more after an expired login.

        Args:
            question: called with the client.
            name, version: what it is about, for messages; see `where`.
            act: a key of `acts`.

        Raises:
            AccessDenied, BackendUnavailable, InvalidSecret: as `faults` has it.
            BackendError: the library is not installed, or the kwargs make no client.
        """
        answer, fault = self._answer(question)
        failure = None if fault is None else self.failure(fault, self.where(name, version), act)
        del fault  # its text and its frames stay here
        if failure is not None:
            raise failure
        return answer

    def failure(self, fault: Exception, where: str, act: str = "read") -> SecretsError | None:
        """What an exception of the library means; None: the secret is absent."""
        said = self.code_of(fault)
        code, shown = (said, said) if isinstance(said, str) else said
        return None if self.faults.get(code, ()) is None else self.failed(code, shown, where, act)

    def failed(self, code: str, shown: str, where: str, act: str = "read") -> SecretsError:
        """The error for a code of `faults`."""
        error, what, hint = self.faults.get(code) or self.faults.get("") or _NO_ANSWER
        doing, right = self.acts[act]
        for word, text in (("{doing}", doing), ("{right}", right), ("{code}", shown)):
            what, hint = what.replace(word, text), hint.replace(word, text)
        return error(what, where=where, hint=hint)

    def _answer(self, question: Callable[[Any], Any]) -> tuple[Any, Exception | None]:
        with Quietly(*self.quiet):
            return self._clients.ask(question, self.is_expired)

    def _opened(self) -> Any:
        import_packages(self.packages, self.extra, self.store)
        try:
            with Quietly(*self.quiet):
                return self.open()
        except FrameworkError:
            raise
        except Exception as fault:
            failure = self.not_opened(fault)
        raise failure


class RemoteStore(RemoteBackend, StoreBackend):
    """A store of named texts on another machine.

    A subclass writes `open`, `code_of` and `fetch`; where the store can, also `fetch_many` and `names`. Names are
    checked before they are asked for, and bytes become text.

    Args:
        **names: what `StoreBackend` takes.

    Attributes:
        name_rule: a regular expression for a whole name, and its characters in words. Other names are absent, and
            never asked for.
        version_rule: the same for versions, without the words.
    """

    name_rule: tuple[str, str] | None = None
    version_rule: str | None = None

    def __init__(self, **names: Any) -> None:
        RemoteBackend.__init__(self)
        StoreBackend.__init__(self, **names)
        for kind, switch in self.switches.items():
            prefix = self.given_prefix(kind)
            if prefix and self.name_rule and not self.is_name(self.joined(prefix, "x")):
                what = f"{switch} and sep hold characters that no name of a secret has"
                raise BackendError(what, where=self.store, hint=f"Use {self.name_rule[1]}.")

    def fetch(self, client: Any, name: str, version: str | None) -> str | bytes | None:
        """The value under a name, or None. What the library raises may pass: it is looked up in `faults`."""
        raise NotImplementedError

    def fetch_many(self, client: Any, names: list[str]) -> Mapping[str, Any]:
        """The values of up to `batch_size` names by one call, or their errors; None: it is absent.

        Names that are left out are asked for one by one.
        """
        raise NotImplementedError

    def names(self, client: Any, start: str) -> Iterable[str]:
        """The names in the store that begin so; others among them do not matter."""
        raise NotImplementedError

    def is_name(self, name: str) -> bool:
        """Whether a secret in the store can have this name."""
        return self.name_rule is None or _matches(self.name_rule[0], name)

    def is_version(self, version: str) -> bool:
        """Whether a version can be called so."""
        return self.version_rule is None or _matches(self.version_rule, version)

    def name_of(self, kind: str, secret_id: str, team: str | None = None) -> str | None:
        name = super().name_of(kind, secret_id, team)
        return name if name is not None and self.is_name(name) else None

    def read(self, name: str, version: str | None = None) -> str | None:
        if not self.is_name(name) or (version is not None and not self.is_version(version)):
            return None
        found = self.ask(lambda client: self.fetch(client, name, version), name, version)
        text: str | SecretsError | None = self._text(found, name, version)
        if isinstance(text, SecretsError):
            raise text
        return text

    def read_many(self, names: list[str]) -> Mapping[str, str | SecretsError]:
        if self.batch_size == 1:
            return read_each(self.read, names)
        names = [name for name in names if self.is_name(name)]
        found: dict[str, Any] = {}
        for start in range(0, len(names), self.batch_size or len(names) or 1):
            found |= self._batch(names[start:][: self.batch_size])
        alone = read_each(self.read, [name for name in names if name not in found])
        return {**{name: value for name, value in found.items() if value is not None}, **alone}

    def names_below(self, start: str) -> Iterable[str]:
        return self.ask(lambda client: list(self.names(client, start)), act="list") or []

    def _batch(self, names: list[str]) -> dict[str, Any]:
        """What one call answers, or its failure for each name; it is not made for a single name."""
        if len(names) < 2:
            return {}
        try:
            answer, fault = self._answer(lambda client: self.fetch_many(client, names))
        except SecretsError as failure:
            return {name: failure.again() for name in names}
        if fault is None:
            return {name: self._text(value, name) for name, value in answer.items() if name in names}
        failures = {name: self.failure(fault, self.where(name)) for name in names}
        return {name: failure for name, failure in failures.items() if failure is not None}

    def _text(self, value: Any, name: str, version: str | None = None) -> Any:
        """The value, bytes as text; the error if they are none."""
        try:
            return value.decode("utf-8") if isinstance(value, bytes) else value
        except UnicodeDecodeError:
            hint = "Store text; encode bytes, as base64 for example."
            return InvalidSecret("the value is not UTF-8 text", where=self.where(name, version), hint=hint)


def _matches(rule: str, text: str) -> bool:
    import re

    return re.fullmatch(rule, text) is not None


#: The error for a code that `faults` does not have.
_NO_ANSWER = (BackendUnavailable, "the store does not answer ({code})", "Check the network, or try again later.")


def import_packages(packages: Mapping[str, str], extra: str, store: str) -> None:
    """Import the modules of a client library. Raises BackendError that says what to install."""
    from importlib import import_module

    for module, package in packages.items():
        try:
            import_module(module)
            continue
        except ImportError:
            pass  # an error that is raised in there would have a context
        what = f"the package {package} is not installed"
        wanted = f"'framework[{extra}]'" if extra else package
        raise BackendError(what, where=store, hint=f"Run pip install {wanted}.")
