"""The keyring of the desktop or the operating system, through the keyring package.

In a keyring a secret has a service and a user name: the service is the prefix, the user name the id. So
`keyring set billing/variables vat` writes the variable `vat` of the application `billing`.
"""

from __future__ import annotations

from framework.backends.base import KindsBackend
from framework.backends.named import DEFAULT
from framework.backends.remote import import_packages
from framework.backends.session import OnePerProcess
from framework.errors import BackendError, BackendUnavailable, InvalidSecret

_STORE = "keyring"
_FOLDERS = {"connection": "connections", "variable": "variables", "config": "config"}


class KeyringBackend(KindsBackend):
    """Connections, variables and config secrets from a keyring. Airflow has no such class. It lists no names.

    Args:
        connections_prefix, variables_prefix, config_prefix: the service under which the secrets of a kind are; by
            default `{app}/connections`, `{app}/variables`, `{app}/config`; None: it is not asked for that kind.
        keyring: the class path of a keyring, `keyring.backends.SecretService.Keyring` for example; by default the one
            that the keyring package chooses on this machine.
    """

    remote = False
    may_hang = True  # it may ask the user, or a service that does not answer
    switches = {"connection": "connections_prefix", "variable": "variables_prefix", "config": "config_prefix"}

    def __init__(
        self,
        connections_prefix: str | None = DEFAULT,
        variables_prefix: str | None = DEFAULT,
        config_prefix: str | None = DEFAULT,
        keyring: str | None = None,
    ) -> None:
        self._prefixes = {"connection": connections_prefix, "variable": variables_prefix, "config": config_prefix}
        self._keyring = keyring
        self._opened = OnePerProcess(self._open)

    def asks_for(self, kind: str, name: str) -> bool:
        return self._prefixes[kind] is not None

    def places(self, kind: str, name: str) -> list[str]:
        return [f"service {self._service(kind)}"]

    def _service(self, kind: str) -> str | None:
        service = self._prefixes[kind]
        return f"{self.app_name}/{_FOLDERS[kind]}" if service is DEFAULT else service

    def _get(self, kind: str, secret_id: str) -> str | None:
        service = self._service(kind)
        if service is None:
            return None
        where = f"{_STORE}: {service}, {secret_id}"
        opened = self._opened.get()
        what = ""
        try:
            value = opened.get_password(service, secret_id)
            if value is None or isinstance(value, str):
                return value
        except UnicodeDecodeError:
            pass  # the same error as for a value that is not text
        except Exception as error:
            what = type(error).__name__
        if not what:
            raise InvalidSecret("the value is not UTF-8 text", where=where, hint="Store text.")
        if what == "KeyringLocked":
            raise BackendUnavailable(f"the keyring is locked ({what})", where=where, hint="Unlock it, then try again.")
        raise BackendUnavailable(
            f"the keyring does not answer ({what})", where=where, hint="Run keyring diagnose, or name another keyring."
        )

    def _open(self) -> object:
        import_packages({"keyring": "keyring"}, "keyring", _STORE)
        try:
            import keyring

            return keyring.get_keyring() if self._keyring is None else keyring.core.load_keyring(self._keyring)
        except Exception as error:
            what = type(error).__name__
        if self._keyring is None:
            raise BackendUnavailable(f"no keyring is available ({what})", where=_STORE, hint="Run keyring diagnose.")
        raise BackendError(
            "the class named by the kwarg keyring cannot be used", where=_STORE, hint="See keyring --list-backends."
        )
