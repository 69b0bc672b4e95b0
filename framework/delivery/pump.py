"""Carries a program's output to ours, without its secrets."""

from __future__ import annotations

import os
from threading import Thread

from framework.masking.stream import Stream

_PIECE = 65_536


class Pump:
    """A pipe, and a thread that carries what comes through it. Of a stream that is a terminal there is none.

    Args:
        to: the descriptors that it stands in for; all of them are one file.

    Attributes:
        entrance: where a program writes to.
    """

    __slots__ = ("entrance", "_exit", "_to", "_stop", "_stopped", "_thread")

    def __init__(self, to: int) -> None:
        self._to = to
        self._exit, self.entrance = os.pipe()
        self._stop, self._stopped = os.pipe()
        self._thread = Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        from select import POLLIN, poll

        stream, waits = Stream(), poll()
        waits.register(self._exit, POLLIN)
        waits.register(self._stop, POLLIN)
        try:
            while True:
                ready = [number for number, _ in waits.poll()]
                if self._exit in ready:
                    _write(self._to, stream.feed(os.read(self._exit, _PIECE)))
                elif self._stop in ready:  # the pipe is empty; processes that still hold it are not waited for
                    _write(self._to, stream.close())
                    return
        except OSError:  # the reader of our output has gone; the program notices at its next write
            return
        finally:
            os.close(self._exit)

    def finish(self) -> None:
        """Carry what is left."""
        os.close(self._stopped)
        self._thread.join()
        os.close(self.entrance)
        os.close(self._stop)


def _write(number: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(number, data) :]
        except BlockingIOError:  # it was made so by another process with the same file
            from select import POLLOUT, poll

            waits = poll()
            waits.register(number, POLLOUT)
            waits.poll()


def pumps() -> dict[int, Pump]:
    """A pump for stdout and one for stderr, but not for a terminal; one for both if they are one file, in order."""
    made: dict[int, Pump] = {}
    for number in (1, 2):
        try:
            if os.isatty(number):
                continue
            if number == 2 and 1 in made and os.path.samestat(os.fstat(1), os.fstat(2)):
                made[2] = made[1]
            else:
                os.fstat(number)
                made[number] = Pump(number)
        except OSError:  # it is closed
            continue
    return made
