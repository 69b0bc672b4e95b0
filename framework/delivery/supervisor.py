"""Runs a program as a child that behaves as if started directly: signals, process groups, exit status, PID 1."""

from __future__ import annotations

import os
import signal
from time import monotonic

from framework.delivery.execution import found, why_not
from framework.delivery.pump import pumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from framework.delivery.watch import Watch

#: What is passed on to the program.
_FORWARDED = frozenset(
    getattr(signal, name)
    for name in ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT", "SIGALRM")
    if hasattr(signal, name)
)
#: How often to look, in seconds, for what a signal should have reported: another thread may have got it.
_LOOK = 1.0
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
#: Signals that Python ignores, and other programs do not by default.
_RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)


class Signals:
    """Keeps the signals for the program, from before there is anything to clean up until it is cleaned up.

    They are blocked and waited for. Another thread, such as one that renews a lease, does not block them, so those that
    it gets are noted. Those that are ignored stay so, for the program as well. But while SIGCHLD is, as some parents
    leave it, children cannot be waited for.

    Attributes:
        waited: which signals.
        noted: those that another thread got.
    """

    def __init__(self) -> None:
        self.waited = {*_FORWARDED, signal.SIGCHLD}
        self.noted: list[int] = []

    def __enter__(self) -> Signals:
        def note(number: int, frame: object) -> None:
            if number != signal.SIGCHLD:
                self.noted.append(number)

        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self.waited)
        before = {number: signal.getsignal(number) for number in self.waited}
        if before[signal.SIGCHLD] is signal.SIG_IGN:
            before[signal.SIGCHLD] = signal.SIG_DFL
        self._handlers = {n: found for n, found in before.items() if found not in (None, signal.SIG_IGN)}
        for number in self._handlers:
            signal.signal(number, note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


class Supervisor:
    """One program, which may be restarted.

    Args:
        words: the program and its arguments.
        environ: its environment.
        signals: those that it gets.
        mask: whether secrets are taken out of its output, where that is not a terminal.
        watch: reports when the configuration changed; None: it is not watched.
        notify: prints a note.
        signal_number: is sent when the configuration changed; 0: the program is restarted.
        kill_after: seconds after which a program that is to end is killed.
    """

    def __init__(
        self,
        words: list[str],
        environ: dict[str, str],
        signals: Signals,
        *,
        mask: bool = False,
        watch: Watch | None = None,
        notify: Callable[[str], None],
        signal_number: int = 0,
        kill_after: float = 30.0,
    ) -> None:
        self._words, self._environ, self._signals = words, environ, signals
        self._mask, self._watch, self._notify = mask, watch, notify
        self._signal, self._kill_after = signal_number, kill_after
        self._own_group = not _has_terminal()
        self._pumps: dict[int, Any] = {}
        self._child = 0
        self._is_stopping = self._is_ending = False
        self._last = 0  # the last signal that was passed on
        self._restart_at: float | None = None
        self._kill_at: float | None = None

    def run(self) -> int:
        """Run the program to its end, and return its exit status. If a signal killed it, the same ends this process.

        Raises:
            NotStarted: it is not there, or cannot be executed.
        """
        try:
            self._pumps = pumps() if self._mask else {}
            try:
                self._start()
                return self._wait()
            finally:
                for pump in set(self._pumps.values()):
                    pump.finish()
        finally:
            if self._watch is not None:
                self._watch.close()

    def _start(self) -> None:
        path = found(self._words[0], self._environ)
        actions = [(os.POSIX_SPAWN_DUP2, pump.entrance, number) for number, pump in self._pumps.items()]
        group = {"setpgroup": 0} if self._own_group else {}
        try:
            self._child = os.posix_spawn(
                path,
                self._words,
                self._environ,
                file_actions=actions,
                setsigmask=[],
                setsigdef=_RESTORED,
                **group,  # type: ignore[arg-type]
            )
        except (OSError, ValueError) as fault:
            raise why_not(fault, path) from None

    def _wait(self) -> int:
        while True:
            status = self._reap()
            if status is not None:
                if not self._is_stopping or self._is_ending:
                    self._end_group(self._last)
                    return status
                self._end_group(signal.SIGTERM)
                self._is_stopping, self._kill_at = False, None
                self._start()
            self._act()
            info = signal.sigtimedwait(self._signals.waited, max(0.0, self._next() - monotonic()))
            is_of_the_terminal = info is not None and info.si_code > 0 and not self._own_group
            if info is not None and info.si_signo != signal.SIGCHLD and not is_of_the_terminal:
                self._forward(info.si_signo)  # but not what the terminal sends to the program as well: Ctrl-C
            while self._signals.noted:
                self._forward(self._signals.noted.pop(0))

    def _forward(self, number: int) -> None:
        """Pass a signal on. One that is ignored here does not end the program, unless it handles it."""
        self._last = number
        if number in _ENDING and signal.getsignal(number) is not signal.SIG_IGN:
            self._is_ending, self._restart_at = True, None
        self._send(number)

    def _end_group(self, number: int) -> None:
        """Send what ended the program to the rest of its group: `timeout` and CI systems signal whole groups, and that
        of the program is not theirs. A restarted program must not meet what a script had started before."""
        if self._own_group and number in (*_ENDING, signal.SIGHUP):
            try:
                os.killpg(self._child, number)
            except (ProcessLookupError, PermissionError):  # no process is left
                pass

    def _send(self, number: int) -> None:
        try:
            os.kill(self._child, number)
        except ProcessLookupError:  # it has just ended
            pass

    def _reap(self) -> int | None:
        """The wait status of the program, once it has ended. As PID 1 orphans are waited for, too."""
        all_of_them = os.getpid() == 1 and not (self._watch is not None and self._watch.is_looking)
        while True:
            try:
                pid, status = os.waitpid(-1 if all_of_them else self._child, os.WNOHANG)
            except ChildProcessError:
                return 0
            if pid == self._child:
                return status
            if pid == 0:
                return None

    # What changes while it runs

    def _next(self) -> float:
        times = [self._restart_at, self._kill_at, self._watch.next_look if self._watch is not None else None]
        return min([time for time in times if time is not None] + [monotonic() + _LOOK])

    def _act(self) -> None:
        now = monotonic()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self._notify("the program did not end in time and is killed")
            (os.killpg if self._own_group else os.kill)(self._child, signal.SIGKILL)
        if self._restart_at is not None and now >= self._restart_at:
            self._restart_at, self._is_stopping = None, True
            self._kill_at = now + self._kill_after
            self._send(signal.SIGTERM)
        if self._watch is None or self._is_ending:
            return
        change = self._watch.look()
        if change is not None:
            self._environ = change.environ
            if self._signal:
                self._notify(f"the configuration has changed ({change}): the program gets a signal")
                self._send(self._signal)
            else:
                self._notify(f"the configuration has changed ({change}): the program is restarted")
                if not self._is_stopping and self._restart_at is None:
                    self._restart_at = now + change.delay


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal, wherever its streams lead."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def end_like(status: int) -> int:
    """Return the exit status of a program, or end by the signal that killed it; PID 1 cannot, and returns 128 + n."""
    if not os.WIFSIGNALED(status):
        return os.WEXITSTATUS(status)
    number = os.WTERMSIG(status)
    if os.getpid() != 1:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # one core file is enough
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        os.kill(os.getpid(), number)
    return 128 + number
