"""How much is read, and how long is waited: every bound of the readers, in one place."""

from __future__ import annotations

#: Bytes of one configuration, schema, `.env`, settings or secrets file, and of what a `_file` pointer names.
FILE_BYTES = 32 * 2**20
#: Bytes of one file to import, which is read row by row.
IMPORT_BYTES = 4 * 2**30
#: Seconds for a pipe named on the command line, before `[core] command_timeout_seconds` is known.
PIPE_SECONDS = 30.0
#: Symbolic links on the way to one file, as in Linux.
LINKS = 40
