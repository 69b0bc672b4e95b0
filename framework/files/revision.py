"""The files of a project as they are in a revision of its git repository.

git is asked for the names and for the bytes of the files, and nothing else: no hook, filter or text conversion runs.
The files are laid out in a folder that only this user can read, in memory where the machine has such a place, and that
is removed afterwards. What they hold is in the repository anyway.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from framework.errors import ConfigFileError
from framework.limits import FILE_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a configuration is written in. Other files of a repository are of no use here.
_ENDINGS = (".cfg", ".conf", ".ini", ".json", ".toml", ".yaml", ".yml", ".schema")
_SECONDS = 30.0


@contextmanager
def files_of(revision: str, directory: str) -> Iterator[str]:
    """A folder with the configuration files that a directory has in a revision.

    Args:
        revision: a branch, a tag, a commit, `HEAD~3`.
        directory: inside a git repository.

    Raises:
        ConfigFileError: git is not installed, the directory is in no repository, or there is no such revision.
    """
    import shutil
    import tempfile

    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None
    folder = tempfile.mkdtemp(prefix="framework-", dir=memory)
    try:
        _lay_out(revision, directory, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lay_out(revision: str, directory: str, folder: str) -> None:
    where = f"git:{revision}"
    found = _git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    commit = found.decode().strip() if found is not None else ""
    if not commit:
        hint = "Name a branch, a tag or a commit of the repository around the project."
        raise ConfigFileError(f"there is no revision {revision!r}", where=where, hint=hint)
    listed = _git(directory, "ls-tree", "-r", "-z", "--long", commit, ".") or b""
    for line in listed.split(b"\0"):
        about, _, name = line.partition(b"\t")
        words = about.split()
        if len(words) != 4 or words[1] != b"blob" or words[0] == b"120000":  # a link leads out of the revision
            continue
        path = os.fsdecode(name)
        if not path.endswith(_ENDINGS) or ".." in path.split("/"):  # a forged tree may hold such a name
            continue
        if int(words[3]) > FILE_BYTES:
            what = f"it is larger than {FILE_BYTES // 2**20} MiB"
            raise ConfigFileError(what, where=f"{where}:{path}", hint="Make it smaller.")
        data = _git(directory, "cat-file", "blob", words[2].decode()) or b""
        target = os.path.join(folder, path)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)


def _git(directory: str, *words: str) -> bytes | None:
    """What git prints; None if it refuses."""
    import subprocess

    try:
        done = subprocess.run(
            ["git", "-C", directory, "--no-replace-objects", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
        )
    except FileNotFoundError:
        raise ConfigFileError("git is not installed", where="git", hint="Install it.") from None
    except subprocess.TimeoutExpired:
        raise ConfigFileError(f"git did not end within {_SECONDS:g} s", where="git", hint="Try again.") from None
    if done.returncode == 128 and b"not a git repository" in done.stderr:
        what = "it is not inside a git repository"
        raise ConfigFileError(what, where=directory, hint="Run it inside the repository of the project.")
    if done.returncode == 128 and b"dubious ownership" in done.stderr:
        hint = f"git config --global --add safe.directory {directory}"
        raise ConfigFileError("git does not trust the owner of the repository", where=directory, hint=hint)
    return done.stdout if done.returncode == 0 else None
