"""Every bound of the readers and of waiting, in one place. docs/explanation/security.md lists them."""

from __future__ import annotations

#: Bytes of one configuration, schema, `.env`, settings or secrets file, or of what a `_file` names or a `_cmd` prints.
FILE_BYTES = 32 * 2**20
#: Bytes of one file to import, which is read row by row.
IMPORT_BYTES = 4 * 2**30
#: Seconds for a pipe named on the command line, before `[core] command_timeout_seconds` is known.
PIPE_SECONDS = 30.0
#: Symbolic links on the way to one file, as in Linux.
LINKS = 40
#: Tables and lists inside one another: JSON, YAML, TOML, the dots of a TOML key, what is given to the masker.
DEPTH = 100
#: Digits of a whole number. Python's own bound, for turning longer ones into text takes quadratic time.
DIGITS = 4_300
#: Characters that an expansion may add to what is written: `%(name)s`, `$VAR`, aliases of YAML.
GROWTH = 1_000_000
#: How often `$VAR` and `~` are expanded again, and how many names are replaced, before it counts as endless.
ROUNDS = 50
NAMES = 10_000
#: As in configparser: a value may refer to a value that refers to a value…, this many deep.
REFERENCES = 10
#: Spaces in a row in an unquoted value of a `.env` file: python-dotenv takes quadratic time over them.
BLANKS = 1_000
#: Names that are compared to find the nearest one to a misspelt name, and the length of a name that is.
CANDIDATES = 2_000
NAME_LENGTH = 100
#: For how many names the masker remembers whether they are sensitive.
KEPT_NAMES = 10_000
#: Faults that one message lists.
FAULTS = 20
