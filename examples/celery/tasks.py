"""A worker that signs invoices: `celery -A tasks worker`."""

import hashlib
import hmac
from pathlib import Path

from celery import Celery
from celery.signals import worker_init

from framework import App

invoices = App.from_project(Path(__file__).parent).use()
queue = invoices.get_connection("broker").get_uri()
celery = Celery("invoices", broker=queue, backend=queue)


@worker_init.connect
def fetch_secrets(**_: object) -> None:
    """Before the first task, and before the worker forks. Celery only logs other exceptions of a signal's handler."""
    for failure in invoices.prefetch().values():
        raise SystemExit(f"error: {failure}")


@celery.task
def sign(number: int, amount: str) -> str:
    """The text of an invoice with its signature. Options are read when they are needed."""
    text = f"{number} {amount} {invoices.conf.get('invoices', 'currency')}"
    key = invoices.conf.get("invoices", "signing_key")
    return f"{text} {hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:8]}"
