"""Random parts of pauses and lifetimes, so that the processes of a fleet do not all act at once.

`os.urandom` needs no import of `random`, and differs in the children of a fork. Tests replace `fraction`.
"""

from __future__ import annotations

from os import urandom

#: The fraction by which `about` varies.
A_TENTH = 0.1


def fraction() -> float:
    """A random number from 0 up to, but not including, 1."""
    return int.from_bytes(urandom(6), "big") / (1 << 48)


def up_to(seconds: float) -> float:
    """A random time between 0 and this many seconds: full jitter."""
    return fraction() * seconds


def from_half(seconds: float) -> float:
    """A random time between half of these seconds and all of them."""
    return seconds * (1 + fraction()) / 2


def about(seconds: float) -> float:
    """This many seconds, give or take a tenth."""
    return seconds * (1 - A_TENTH + 2 * A_TENTH * fraction())
