"""Run by `python -m pytest`. No queue is needed: the task runs in this process."""

from tasks import invoices, sign


def test_an_invoice_is_signed() -> None:
    assert sign(7, "12.50") == "7 12.50 EUR 1bdf4698"


def test_an_invoice_in_another_currency() -> None:
    with invoices.conf.override({("invoices", "currency"): "CHF"}):
        assert sign(7, "12.50").startswith("7 12.50 CHF ")
