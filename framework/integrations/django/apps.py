"""Django's part: an application without models that adds a system check."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks

from framework.inspection.problems import problems_of
from framework.integrations import application
from framework.masking.wording import redact_message

_LEVELS = {"error": checks.ERROR, "warning": checks.WARNING, "note": checks.INFO}


class FrameworkConfig(AppConfig):  # type: ignore[misc]
    """Registers the system check `framework`. `manage.py check --deploy` follows pointers, too."""

    name = "framework.integrations.django"
    label = "framework_integration"
    verbose_name = "framework"

    def ready(self) -> None:
        checks.register(configuration, "framework")
        checks.register(resolved, "framework", deploy=True)


def configuration(app_configs: object, **options: object) -> list[checks.CheckMessage]:
    """What `python -m framework check --offline` reports: no command is run and no link is asked."""
    return _messages(offline=True)


def resolved(app_configs: object, **options: object) -> list[checks.CheckMessage]:
    """What following every pointer reports in addition."""
    known = _messages(offline=True)
    return [message for message in _messages(offline=False) if message not in known]


def _messages(*, offline: bool) -> list[checks.CheckMessage]:
    found = dict.fromkeys(problems_of(application(), offline=offline))
    return [
        checks.CheckMessage(
            _LEVELS[one.level], f"{redact_message(one.where)}: {redact_message(one.what)}", id=f"framework.{one.code}"
        )
        for one in found
    ]
