"""The pytest plugin: `conf_override`, for tests of applications."""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@pytest.fixture
def conf_override() -> Iterator[Callable[[Mapping[tuple[str, str], object]], None]]:
    """Override options of the current application until the test ends.

    def test_port(conf_override):
        conf_override({("core", "port"): "1"})
    """
    from framework import current

    entered = []

    def override(values: Mapping[tuple[str, str], object]) -> None:
        block = current.app().conf.override(values)
        block.__enter__()
        entered.append(block)

    yield override
    for block in reversed(entered):
        block.__exit__()
