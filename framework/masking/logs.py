"""Redacts what is logged, for every handler and formatter."""

from __future__ import annotations

from framework.masking.masker import _masker, redact, redact_text
from framework.masking.shown import as_texts, bounded, message_of, shown_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging


class RedactingFilter:
    """A `logging` filter that redacts a record in place, so that every handler and formatter sees it redacted."""

    def filter(self, record: logging.LogRecord) -> bool:
        import logging

        if isinstance(record.args, dict):
            record.args = {key: bounded(value) for key, value in record.args.items()}
        elif record.args:
            record.args = tuple(map(bounded, record.args))
        written = record.msg
        fits = message_of(record) is not None
        record.msg = _masker._redact_shown(written)
        if isinstance(record.args, dict):
            record.args = {key: _masker._redact_shown(value) for key, value in record.args.items()}
        elif record.args:
            record.args = tuple(map(_masker._redact_shown, record.args))
        redacted = record.msg
        if fits:  # else logging itself reports the redacted message and arguments
            # The arguments are redacted first: `%.9s` would cut a secret, and the rest would not be recognised.
            record.msg = written
            message = message_of(record)
            if message is None:  # a number is `***` now
                record.msg = as_texts(shown_text(written))
                message = message_of(record)
            message = redact_text(shown_text((written, record.args)) if message is None else message)
            record.msg = redacted
            if message_of(record) != message:  # message and arguments make a secret only together
                record.msg, record.args = message, None
        elif (shown := shown_text((redacted, record.args))) != (message := redact_text(shown)):
            record.msg, record.args = message, None
        trace = record.exc_text or ""
        if not trace and isinstance(record.exc_info, tuple):
            from traceback import format_exception

            trace = "".join(format_exception(*record.exc_info)).rstrip("\n")
        if (hidden := redact_text(trace)) != trace:
            record.exc_text, record.exc_info = hidden, None  # the exception itself would show the secret again
        record.stack_info = record.stack_info and redact_text(record.stack_info)
        fields = vars(record)
        for key in fields.keys() - vars(logging.LogRecord("", 0, "", 0, "", (), None)).keys():
            fields[key] = redact(fields[key], key)
        return True


def install(logger: logging.Logger | None = None) -> None:
    """Redact everything that is logged from now on, by existing handlers and by those added later.

    Args:
        logger: guard the handlers of this one only; without it those of every logger.
    """
    import logging

    def guard(at: logging.Logger | None) -> None:
        while at is not None:
            for handler in at.handlers:
                handler.addFilter(_filter)
            at = at.parent if logger is None and at.propagate else None

    def make_guarded_record(*args: object, **kwargs: object) -> logging.LogRecord:
        # A record is made before it is handled, so new handlers are found here.
        record = make_record(*args, **kwargs)
        guard(logger or logging.getLogger(record.name))
        return record

    make_record = logging.getLogRecordFactory()
    logging.setLogRecordFactory(make_guarded_record)
    guard(logger or logging.root)
    if logging.lastResort is not None:
        logging.lastResort.addFilter(_filter)


_filter = RedactingFilter()
