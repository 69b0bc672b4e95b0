"""The framework's own options, in the shape of a schema file.

A Python literal, because parsing YAML at every start costs 20 ms. They live in the application's
configuration under Airflow's names, where Airflow has them; `{HOME}` and `{APP}` stand for the
application's home and name.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BACKEND: dict[str, dict[str, Any]] = {
    "backend": {
        "description": "Short name or class path of the secrets backend that is searched first. Empty: none.",
        "type": "string",
        "example": "local_filesystem",
        "default": "",
    },
    "backend_kwargs": {
        "description": "JSON object of arguments for the backend's constructor.",
        "type": "object",
        "example": '{"variables_file_path": "secrets.json"}',
        "default": "",
        "sensitive": True,
    },
    "connection_map": {
        "description": "JSON object: which field of a company's own JSON secret (dotted path), or which constant, is "
        "which field of a connection.",
        "type": "object",
        "example": '{"login": "username", "host": "endpoint.address", "conn_type": {"const": "postgres"}}',
        "default": "",
    },
}

#: The options that open the metastore.
OF_THE_METASTORE = (("core", "fernet_key"), ("database", "sql_alchemy_conn"), ("database", "sql_alchemy_conn_read"))

OPTIONS: dict[str, dict[str, Any]] = {
    "core": {
        "options": {
            "fernet_key": {
                "description": "Fernet keys of the metastore, comma separated: the first encrypts, each may decrypt.",
                "type": "string",
                "default": "",
                "sensitive": True,
            },
            "command_timeout_seconds": {
                "description": "How long the command of a _cmd pointer may run, in seconds.",
                "type": "float",
                "default": "30",
            },
        },
    },
    "database": {
        "options": {
            "sql_alchemy_conn": {
                "description": "URL of the metastore: connections, variables and config secrets. Empty: none.",
                "type": "string",
                "default": "sqlite:///{HOME}/{APP}.db",
                "sensitive": True,
            },
            "sql_alchemy_conn_read": {
                "description": "URL of a replica of the metastore, which is read first. What it lacks is read from the "
                "metastore itself. Empty: none.",
                "type": "string",
                "default": "",
                "sensitive": True,
            },
            "failover_timeout_seconds": {
                "description": "How long reads, and writes that may be repeated, are tried again while the database "
                "does not answer, fails over or is read-only; in seconds. 0: not at all.",
                "type": "float",
                "default": "10",
                "minimum": 0,
            },
        },
    },
    "secrets": {
        "options": {
            **BACKEND,
            "backends": {
                "description": "Names of several backends in the order of the search, each with a section "
                "[secrets.NAME] of its own. Not together with backend.",
                "type": "list",
                "example": "corp, team",
                "default": "",
            },
            "on_failure": {
                "description": "What to do when a link is unavailable or returns an invalid value: stop, or ask the "
                "next one. Never applies to config secrets.",
                "type": "string",
                "choices": ["stop", "next"],
                "default": "stop",
            },
            "use_cache": {
                "description": "Whether answers of remote backends are kept in this process.",
                "type": "boolean",
                "default": "True",
            },
            "cache_ttl_seconds": {
                "description": "How long a value of a remote backend is kept, in seconds.",
                "type": "float",
                "default": "900",
                "minimum": 0,
            },
            "negative_cache_ttl_seconds": {
                "description": "How long the absence of a value is kept, in seconds. A failure never is.",
                "type": "float",
                "default": "60",
                "minimum": 0,
            },
            "stale_if_error_seconds": {
                "description": "How much longer, in seconds, a value may be used while its backend is unavailable.",
                "type": "float",
                "default": "0",
                "minimum": 0,
            },
            "shared_cache_url": {
                "description": "URL of a Valkey or Redis server (redis://, rediss:// or unix://) that keeps answers of "
                "remote backends, encrypted, for all processes that ask as the same principal. Empty: none.",
                "type": "string",
                "example": "rediss://billing:PASSWORD@cache.example.com:6379/0",
                "default": "",
                "sensitive": True,
            },
            "shared_cache_key": {
                "description": "Fernet key of the entries in the shared cache. Not that of the metastore.",
                "type": "string",
                "default": "",
                "sensitive": True,
            },
            "shared_cache_timeout_seconds": {
                "description": "How long the server of the shared cache may take to answer, in seconds. Then the "
                "backend is asked.",
                "type": "float",
                "default": "1",
                "minimum": 0.01,
            },
            "shared_cache_wait_seconds": {
                "description": "How long to wait for a process that asks the backend, in seconds. Then one more asks, "
                "and after three times this long each process does. 0: do not wait.",
                "type": "float",
                "default": "5",
                "minimum": 0,
            },
            "shared_cache_lease_seconds": {
                "description": "How long to wait for a process that is asking the backend after its last sign of life, "
                "in seconds. Then another one asks.",
                "type": "float",
                "default": "3",
                "minimum": 0.1,
            },
            "resolve_timeout_seconds": {
                "description": "How long a link may take to answer, or all pointers that are "
                "resolved at once, in seconds.",
                "type": "float",
                "default": "30",
                "minimum": 0,
            },
            "refresh_interval_seconds": {
                "description": "How often the secrets behind _secret pointers are read again, in seconds, give or take "
                "a tenth. 0: never.",
                "type": "float",
                "default": "0",
                "minimum": 0,
            },
            "refresh_max_age_seconds": {
                "description": "How old the last value of a _secret pointer may become while it cannot be read again, "
                "in seconds. 0: any age.",
                "type": "float",
                "default": "0",
                "minimum": 0,
            },
            "max_workers": {
                "description": "How many calls to backends are made at once.",
                "type": "integer",
                "default": "16",
                "minimum": 1,
            },
            "allow_token_like_names": {
                "description": "Whether a _secret pointer may name a secret that has the shape of a token or key. "
                "Otherwise it is refused as a pasted value.",
                "type": "boolean",
                "default": "False",
            },
            "config_links": {
                "description": "Names of the only links that may answer for a _secret pointer. Empty: all of them.",
                "type": "list",
                "example": "vault, metastore",
                "default": "",
            },
        },
    },
}


def is_backend_kwarg(section: str, key: str) -> bool:
    """Whether an option holds arguments of a secrets backend, all or a single one: they are always sensitive."""
    if section == "workers":
        return key.startswith("secrets_backend_kwarg")
    return section.partition(".")[0] == "secrets" and key.startswith("backend_kwarg")


#: What `[secrets.NAME]` may say.
NAMED_BACKEND = {"description": "One of several secrets backends.", "options": BACKEND}
