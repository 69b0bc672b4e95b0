"""The commands that look at a configuration, for which no store may issue anything."""

from __future__ import annotations

#: Command -> its words, for those that look at the configuration. Nothing is issued for them.
LOOKS: dict[str, list[list[str]]] = {
    "dump": [
        ["dump"],
        ["dump", "--connections", "--variables", "--show-secrets"],
        ["dump", "--format", "json", "--sources", "--connections"],
        ["dump", "--format", "env"],
    ],
    "explain": [["explain", "db", "password"], ["explain", "--connection", "warehouse"]],
    "check": [["check"]],
    "snapshot": [["snapshot"], ["snapshot", "--resolve"]],
    "diff": [["diff", "project:.", "project:."]],
    "config": [["config", "list"], ["config", "lint"], ["config", "list", "--show-secrets"]],
    "schema": [["schema", "export", "--format", "markdown"]],
    "backend-test": [["backend-test"]],
    "redact": [],  # see the test below
    "stats": [["stats"]],
    "policy": [["policy", "vault"]],
    "plan": [["plan", "--fleet", "10"]],
    "connections": [["connections", "list"], ["connections", "list", "--show-values"], ["connections", "export", "-"]],
    "variables": [["variables", "list"]],
    "secrets": [["secrets", "list"]],
    "db": [["db", "check"]],
}
