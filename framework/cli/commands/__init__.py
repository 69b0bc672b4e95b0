"""The commands, one file each.

A module holds `DESCRIPTION` and `add_arguments(parser)`. Every parser that it makes names what it runs:
`parser.set_defaults(run=function)`, where `function(app, args)` returns the exit status or raises a `FrameworkError`.
More defaults of a parser:

    needs_app=False        it runs without an application; `app` is None
    lists_warnings=True    it prints the warnings itself
    unknown_app="refused"  it describes the application, so it does not run if nothing was found for it; "shown": it
                           runs, and ends with that error
    shows_progress=False   it shows what it waits for itself
    issues="used"          credentials may be issued for it, and are revoked when it ends; "handed on": they are not
                           revoked, because others use them. Other commands only look: nothing is issued
"""

#: The commands that start a program, whose words follow `--`. Their own failures end with 125, because the
#: program may end with any of the usual statuses.
STARTS_PROGRAM = ("exec",)

#: command -> (module, what it does)
COMMANDS = {
    "dump": ("dump", "print the effective configuration, with the origin of every value"),
    "explain": ("explain", "show where an option, connection or variable is set, and which place wins"),
    "explore": ("explore", "show options, connections, variables and secret names in a browser"),
    "check": ("check", "find unknown names, wrong types and pointers that lead nowhere"),
    "diff": ("diff", "compare environments, folders, revisions and snapshots"),
    "snapshot": ("snapshot", "save what is configured, without the values"),
    "config": ("config", "single options: get-value, list, lint, update, set, unset"),
    "schema": ("schema", "export the schema for editors, type checkers and docs; check exported files"),
    "init": ("init", "write a project file, a schema and a cfg file to start from"),
    "completion": ("completion", "complete commands and names in bash, zsh or fish"),
    "backend-test": ("backend_check", "test a secrets backend against its live store, by reading only"),
    "exec": ("exec", "run a program with the configuration in its environment"),
    "export": ("export", "print options as shell variables, a .env file, a Kubernetes secret, …, in clear"),
    "render": ("render", "fill in the placeholders of a template"),
    "redact": ("redact", "copy stdin to stdout without the secrets of this configuration"),
    "stats": ("stats", "resolve everything once, and count the calls to each backend"),
    "plan": ("plan", "estimate the load of a fleet on its stores: calls, quotas, time to start, cost"),
    "policy": ("policy", "print the least-privilege policy for the names that this configuration asks for"),
    "connections": ("connections", "connections: get, list, add, delete, import, export, test"),
    "variables": ("variables", "variables: get, list, set, delete, import, export"),
    "secrets": ("secrets", "config secrets: get, list, set, delete"),
    "db": ("db", "the metastore's database: check, migrate, reset"),
    "fernet": ("fernet", "keys of the metastore: generate, check, rotate"),
    "rotate-fernet-key": ("rotate", "Airflow's name for fernet rotate"),
}
