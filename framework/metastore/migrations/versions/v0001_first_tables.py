"""Airflow 3.3's connection and variable without the foreign keys to its teams, and a table for config secrets."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects.mysql import LONGTEXT

revision = "0001"
down_revision = None


def upgrade(op: Operations, secrets_only: bool) -> None:
    """Make what is missing: MariaDB does not undo a step that was broken off, so it is taken again.

    Args:
        op: Alembic's operations, in the caller's transaction.
        secrets_only: in another application's database, where nothing else is ours.
    """
    text = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")  # its TEXT ends at 64 KB
    if not secrets_only:
        _make(
            op,
            "connection",
            sa.Column("conn_id", sa.String(250), nullable=False, unique=True),
            sa.Column("conn_type", sa.String(500), nullable=False),
            sa.Column("description", sa.String(5000)),
            sa.Column("host", sa.String(500)),
            sa.Column("schema", sa.String(500)),
            sa.Column("login", text),
            sa.Column("port", sa.Integer),
            sa.Column("team_name", sa.String(50)),  # stays empty here
            sa.Column("password", text),
            sa.Column("extra", text),
            sa.Column("is_encrypted", sa.Boolean, nullable=False),
            sa.Column("is_extra_encrypted", sa.Boolean, nullable=False),
        )
        _make(
            op,
            "variable",
            sa.Column("key", sa.String(250), nullable=False, unique=True),
            sa.Column("val", text, nullable=False),
            sa.Column("description", text),
            sa.Column("is_encrypted", sa.Boolean, nullable=False),
            sa.Column("team_name", sa.String(50)),
        )
    _make(
        op,
        "config_secret",
        sa.Column("name", sa.String(250), nullable=False, unique=True),
        sa.Column("value", text, nullable=False),
        sa.Column("is_encrypted", sa.Boolean, nullable=False),
    )


def _make(op: Operations, table: str, *columns: sa.Column[Any]) -> None:
    # A wide one, for PostgreSQL and MariaDB use up a number for each write of a row that exists.
    number = sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)
    op.create_table(table, number, *columns, if_not_exists=True, **_options(op))


def _options(op: Operations) -> dict[str, str]:
    """For MySQL and MariaDB: names that differ by case or by spaces at their end are different names."""
    dialect: Any = op.get_bind().dialect
    if dialect.name not in ("mysql", "mariadb"):
        return {}
    if dialect.is_mariadb:
        collation = "utf8mb4_nopad_bin"
    else:
        collation = "utf8mb4_0900_bin" if dialect.server_version_info >= (8, 0, 17) else "utf8mb4_bin"
    options = {"engine": "InnoDB", "charset": "utf8mb4", "collate": collation}
    return {f"{dialect.name}_{name}": value for name, value in options.items()}
