"""The command `snapshot`."""

from __future__ import annotations

from framework.cli.output import NO, OK, print_error, print_message, short
from framework.errors import ConfigFileError
from framework.inspection.snapshot import KEY_BYTES, taken
from framework.masking.search import counted

DESCRIPTION = """\
Save what is configured, without the values: where each option is set, what its pointer refers to, and a fingerprint
of each value that is not a secret. `diff` compares it with the configuration of another day or place.

Fingerprints of secrets are saved only with --key-file: 32 random bytes, which stay where the secrets are.

for example:
  python -m framework snapshot -o production.json
  head -c 32 /dev/urandom > snapshot.key
  python -m framework snapshot --key-file snapshot.key --resolve -o production.json
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run, unknown_app="refused")
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write it (default: stdout)")
    add_key(parser)


def add_key(parser: ArgumentParser) -> None:
    parser.add_argument("--resolve", action="store_true", help="follow pointers, and compare what they lead to")
    key = parser.add_mutually_exclusive_group()
    key.add_argument("--key-file", metavar="FILE", help="32 random bytes, for fingerprints of secrets")
    key.add_argument("--key-secret", metavar="NAME", help="a config secret that holds the same bytes in hexadecimal")


def key_of(args: Namespace, app: App) -> bytes | None:
    """The key that the arguments name.

    Raises:
        ConfigFileError: it has another length.
        SecretsError, NotFound: a link failed, or no link has the secret.
    """
    if args.key_file is not None:
        from framework.files.text import read_bytes

        try:
            key, where = read_bytes(args.key_file)[0], args.key_file
        except OSError as error:
            raise ConfigFileError(f"the key cannot be read ({error.strerror})", where=args.key_file) from None
    elif args.key_secret is not None:
        where = f"--key-secret {args.key_secret}"
        try:
            key = bytes.fromhex(app.chain.config(args.key_secret)[0])
        except ValueError:
            key = b""
    else:
        return None
    if len(key) != KEY_BYTES:
        hint = f"Create one: head -c {KEY_BYTES} /dev/urandom"
        raise ConfigFileError(f"the key must have {KEY_BYTES} bytes", where=where, hint=hint)
    return key


def _run(app: App, args: Namespace) -> int:
    from framework.cli.transfer import replaced

    snapshot = taken(app, app.name, resolve=args.resolve, key=key_of(args, app))
    with replaced(args.output) as file:
        file.write(snapshot.to_json(short))
    if args.output != "-":
        print_message(f"{args.output}: {counted(len(snapshot.entries), 'option')}")
    failed = {name: entry for name, entry in snapshot.entries.items() if entry.fails}
    for (section, key), entry in failed.items():
        named = f"[{section}] {key}: "
        print_error(named + str(entry.fails).removeprefix(named))
    return NO if failed else OK
