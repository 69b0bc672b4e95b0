"""Writes the rows of billing.db, which is committed so that the example works on a fresh clone.

Run it as `python examples/billing/make_metastore.py` after a change to the rows.
"""

from __future__ import annotations

from app import app  # the application beside this file

from framework import Connection


def rows() -> list[tuple[str, str, str | Connection, str | None]]:
    """Kind, name, value and a variable's description."""
    warehouse = Connection(
        conn_type="postgres",
        description="What the analysts read",
        host="warehouse.example",
        login="billing",
        password="made-up-warehouse-password",
        schema="invoices",
        port=5432,
        extra={"sslmode": "require"},
    )
    return [
        ("connection", "warehouse", warehouse, None),
        ("connection", "archive", Connection(uri="s3://AKMADEUP:made-up-archive-key@/?region_name=eu-central-1"), None),
        # In secrets/variables.json as well, on purpose: that link is asked first, so this row is shadowed.
        ("variable", "batch_size", "500", "How many invoices are made in one go"),
        ("variable", "newsletter", '{"enabled": true, "weekday": "monday"}', None),
        ("config", "smtp-password", "made-up-smtp-password", None),
    ]


if __name__ == "__main__":
    print(f"{app.store.write_many(rows())} rows written to {app.store.database.where}")
