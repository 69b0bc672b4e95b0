"""Every name that is made from an application's name, in one place."""

from __future__ import annotations

from framework.given import text

#: The forms of an option, in order of precedence: plain, then the three pointers.
POINTER_FORMS = ("cmd", "secret", "file")


class Names:
    """The names of one application: `Names("billing").option("core", "port")`.

    Args:
        app: letters, digits, `-` and single `_`, starting with a letter.

    Raises:
        ValueError: the names of its environment variables would be ambiguous.
    """

    __slots__ = ("app", "prefix", "home", "config", "env", "single")

    def __init__(self, app: str, *, single: bool = False) -> None:
        parts = text(app, "app").split("_")
        if not (app.isascii() and app[:1].isalpha() and all(p.replace("-", "").isalnum() for p in parts)):
            raise ValueError(
                f"the application's name {app!r} must start with a letter and hold letters, digits, '-' and single '_'"
            )
        self.app, self.single = app, single
        self.prefix = app.upper().replace("-", "_")
        self.home = f"{self.prefix}_HOME"
        self.config = f"{self.prefix}_CONFIG"
        self.env = f"{self.prefix}_ENV"

    def option(self, section: str, key: str, form: str = "plain") -> str:
        """`BILLING__SECTION__KEY`, with `_CMD`, `_SECRET` or `_FILE` for a pointer."""
        text(section, "section"), text(key, "key")
        name = f"{self.prefix}__{section.replace('.', '_').upper()}__{key.upper()}"
        return name if form == "plain" else f"{name}_{text(form, 'form').upper()}"

    def spellings(self, section: str, key: str, form: str = "plain") -> tuple[str, ...]:
        """Every name that sets an option, in order of precedence."""
        name = self.option(section, key, form)
        return (name, name.replace("__", "_", 1)) if self.single else (name,)

    def connection(self, conn_id: str) -> str:
        """`BILLING_CONN_{CONN_ID}`: upper-cased only, as in Airflow."""
        return f"{self.prefix}_CONN_{text(conn_id, 'conn_id').upper()}"

    def variable(self, key: str) -> str:
        """`BILLING_VAR_{KEY}`: upper-cased only, as in Airflow."""
        return f"{self.prefix}_VAR_{text(key, 'key').upper()}"

    def secret(self, name: str) -> str:
        """`BILLING_SECRET_{NAME}`: characters other than letters and digits become `_`."""
        return f"{self.prefix}_SECRET_" + "".join(c if c.isalnum() else "_" for c in text(name, "name").upper())

    def backend_kwarg(self, section: str = "secrets", backend: str = "backend") -> str:
        """The start of the variables that set one kwarg each: `BILLING__SECRETS__BACKEND_KWARG__`."""
        return self.option(section, f"{backend}_kwarg__")

    def cfg(self) -> str:
        """The main file, inside the home: `billing.cfg`."""
        return f"{self.app}.cfg"

    def database(self) -> str:
        """The default metastore, inside the home: `billing.db`."""
        return f"{self.app}.db"
