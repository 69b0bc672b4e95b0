"""When a question is repeated that a store did not answer: one policy for all stores.

A store that limits the number of requests is asked up to `TRIES` times, one that fails or cannot be reached up to
`TRIES_OF_A_FAILURE` times. The pauses have full jitter and double up to `LONGEST`. A store that says how long to wait
is not asked earlier. No pause goes beyond the deadline of the question: then its last error is the answer.
"""

from __future__ import annotations

from framework import jitter
from framework.deadlines import seconds_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Result = TypeVar("Result")
    Temporary = tuple[bool, float | None]  # whether the store is throttled, and how many seconds it asks to wait

TRIES, TRIES_OF_A_FAILURE = 10, 4
#: Seconds: the bound of the first pause, and that of any.
FIRST, LONGEST = 0.25, 5.0
#: The longest pause of a question without a deadline, in seconds.
NO_DEADLINE = 30.0

#: How often urllib3 repeats a request, and for which statuses.
_URLLIB3: dict[str, Any] = {
    "total": TRIES - 1,
    "connect": 2,
    "read": 1,
    "status_forcelist": (429, 500, 502, 503, 504),
    "raise_on_status": False,
}
#: After these the request was not carried out, so even one that may not be repeated is.
_NOT_TAKEN = (429, 503)


def pause_after(
    tries: int,
    is_throttled: bool,
    wanted: float | None = None,
    first: float | None = None,
    longest: float | None = None,
) -> float | None:
    """How many seconds to wait before the next try; None: there is none.

    Args:
        tries: how many there were.
        is_throttled: whether the store answered that there are too many requests.
        wanted: seconds that the store asks to wait.
        first, longest: the bounds of the pauses, instead of ours.
    """
    if tries >= (TRIES if is_throttled or wanted is not None else TRIES_OF_A_FAILURE):
        return None
    bound = min((FIRST if first is None else first) * 2 ** (tries - 1), LONGEST if longest is None else longest)
    pause = (wanted or 0.0) + jitter.up_to(bound)
    return pause if pause < seconds_left(NO_DEADLINE) else None


def wanted_by(retry_after: str | None) -> float | None:
    """The seconds of a `Retry-After` header, which holds seconds or a date; None: it has neither."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    if not text:
        return None
    from email.utils import mktime_tz, parsedate_tz
    from time import time

    date = parsedate_tz(text)
    try:
        return None if date is None else max(mktime_tz(date) - time(), 0.0)
    except (ValueError, OverflowError):
        return None


def patiently(call: Callable[[], Result], temporary: Callable[[Exception], Temporary | None]) -> Result:
    """The result of a call, which is repeated while it fails with a temporary error.

    Args:
        temporary: what the store's exception asks for; None: it is not temporary.
    """
    from time import sleep

    tries = 0
    while True:
        try:
            return call()
        except Exception as fault:
            tries += 1
            state = temporary(fault)
            pause = None if state is None else pause_after(tries, *state)
            if pause is None:
                raise
        sleep(pause)


def retrying(**limits: Any) -> Any:
    """urllib3's `Retry` with our pauses, and these limits over ours. It does not repeat a request that timed out, so no
    caller waits twice."""
    from time import sleep

    from urllib3 import Retry
    from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ReadTimeoutError

    class Patient(Retry):
        pause = 0.0

        def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
            return status_code in _NOT_TAKEN or super().is_retry(method, status_code, has_retry_after)

        def increment(self, method: Any = None, url: Any = None, *args: Any, **more: Any) -> Any:
            error, response = more.get("error"), args[0] if args else more.get("response")
            is_late = isinstance(error, (ConnectTimeoutError, ReadTimeoutError))
            if is_late and not isinstance(error, NewConnectionError):  # a refused connection, not a timeout
                raise MaxRetryError(more["_pool"], url, error)
            after: Any = super().increment(method, url, *args, **more)
            if response is None or not response.get_redirect_location():
                wanted = None if response is None else wanted_by(response.headers.get("Retry-After"))
                is_throttled = response is not None and response.status == 429
                pause = pause_after(len(after.history), is_throttled, wanted)
                if pause is None:
                    raise MaxRetryError(more["_pool"], url, error)
                after.pause = pause
            return after

        def sleep(self, response: Any = None) -> None:
            sleep(self.pause)

    return Patient(**{**_URLLIB3, **limits})
