"""Passwords for databases of AWS RDS and Aurora: tokens that are signed here, with the credentials for AWS."""

from __future__ import annotations

from framework.backends.aws.service import ROLE_ACTS, AwsService
from framework.backends.tokens import TokensBackend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.connection import Connection

#: For how many seconds RDS accepts a token, and one that is signed with temporary credentials: botocore replaces these
#: ten minutes before they end at the latest, and a token ends with them.
_SECONDS, _SECONDS_OF_TEMPORARY = 900.0, 600.0
_PORTS = {"postgres": 5432, "postgresql": 5432, "mysql": 3306, "mariadb": 3306}


class AwsRdsTokensBackend(TokensBackend, AwsService):
    """Connections to databases of RDS and Aurora with IAM authentication: each password is a token of 15 minutes.

    Tokens are signed in this process. Only the credentials for AWS may come from elsewhere.

    Args:
        connections: name of a connection -> the connection without its password: a URI or fields.
        **names: the kwargs of `AwsService`.

    Raises:
        BackendError: an argument is missing or wrong.
    """

    service = "rds"
    store = "AWS RDS"
    acts = {"read": ("signing a token", "rds-db:connect"), **ROLE_ACTS}

    def _connection(self, conn: object, kwarg: str) -> Connection:
        made = super()._connection(conn, kwarg)
        made.port = made.port or _PORTS.get(made.conn_type or "")
        if not made.port:
            raise self.misconfigured(f"{kwarg}: it has no port", "Add the port of the database.")
        return made

    def token(self, client: Any, connection: Connection) -> tuple[str, float]:
        region = client.meta.region_name
        host = str(connection.host).lower().rstrip(".").split(".")  # NAME.ID.REGION.rds.amazonaws.com
        if host[-3:] == ["rds", "amazonaws", "com"] and len(host) > 4 and host[-4] != region:
            what = f"the region is {region}, but the database is in {host[-4]}"
            raise self.misconfigured(what, "Correct region_name.")
        token = client.generate_db_auth_token(connection.host, connection.port, connection.login)
        return token, _SECONDS_OF_TEMPORARY if "X-Amz-Security-Token=" in token else _SECONDS
