"""AWS Secrets Manager and AWS Systems Manager Parameter Store.

A secret is absent only if AWS answers so. A name that an answer leaves out is asked for again, and then an error.
"""

from __future__ import annotations

from time import monotonic

from framework import given
from framework.backends.aws import client as botocores
from framework.backends.aws.client import (
    ABSENT,
    CUT_SHORT,
    OF_ONE_NAME,
    OTHER_NAME,
    THROTTLED,
    consists_of,
)
from framework.backends.aws.service import ROLE_ACTS, AwsService
from framework.backends.fields import as_json, json_object, warn_of_empty
from framework.backends.named import names_among
from framework.backends.remote import RemoteStore
from framework.errors import BackendError, BackendUnavailable
from framework.jitter import about

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from framework.connection import Connection
    from framework.errors import SecretsError

    #: Name -> the value, its error, or None: there is no such secret.
    Values = dict[str, str | bytes | SecretsError | None]

#: The names of a connection's fields, as in Airflow; `dbname` is what AWS's own rotation writes for RDS.
_WORDS = {
    "login": ("login", "user", "username", "user_name"),
    "password": ("password", "pass", "key"),
    "host": ("host", "remote_host", "server"),
    "port": ("port",),
    "schema": ("database", "schema", "dbname"),
    "conn_type": ("conn_type", "conn_id", "connection_type", "engine"),
    "extra": ("extra",),
    "description": ("description",),
    "uri": ("uri",),
}


#: Kwargs that Airflow's classes took once, or take and ignore -> what to do instead.
RETIRED = {
    "full_url_mode": "JSON and URIs are recognized",
    "are_secret_values_urlencoded": "values of JSON are taken as they are",
    "aws_account_id": "set role_arn",
    "aws_iam_role": "set role_arn",
    "external_id": "set ExternalId in assume_role_kwargs",
    "host": "set endpoint_url",
    "s3_config_file": "set profile_name",
    "s3_config_format": "set profile_name",
    "profile": "set profile_name",
    "botocore_kwargs": "set config",
    "assume_role_with_saml": "SAML is not supported",
}
#: After a throttled batch, secrets are asked for one by one for about this many seconds.
_NO_BATCHES_FOR = 60.0


class AwsBackend(AwsService, RemoteStore):
    """The common part of both stores.

    Args:
        extra_conn_words: more names for the fields of a connection, `{"login": ["account"]}`; `user` means login.
        **names: the kwargs of `AwsService` and `StoreBackend`. Those of Airflow's class that have no effect are ignored
            with a warning, see `RETIRED`.

    Attributes:
        batch_size: how many names one call may ask for.

    Raises:
        BackendError: a kwarg has a wrong type, or half of a key is given.
    """

    retired = RETIRED

    def __init__(self, extra_conn_words: dict[str, list[str]] | None = None, **names: Any) -> None:
        prefixes = names_among(names)
        sep = given.text(prefixes.get("sep", "/"), "sep")
        for name, prefix in prefixes.items():  # as in Airflow, a prefix may end with separators
            if name.endswith("_prefix") and isinstance(prefix, str):
                prefixes[name] = prefix.rstrip(sep)
        RemoteStore.__init__(self, **prefixes)
        self._words = _extended(extra_conn_words or {})
        AwsService.__init__(self, **names)

    def mistake(self, kind: str, name: str) -> str:
        """What is wrong with an ARN as a name: it can be one only without a prefix. Empty if nothing is wrong."""
        if not name.startswith("arn:") or not self.prefix(kind):
            return ""
        prefix = self.joined(self.prefix(kind) or "", "")
        rest = name.rpartition(prefix.lstrip("/"))[2].rpartition(":")[2]
        if self.service == "secretsmanager" and rest[-7:-6] == "-":  # AWS adds six characters to a secret's name
            rest = rest[:-7]
        return f'This is an ARN, but {prefix} is put before it: write {rest}, or set "{self.switches[kind]}": "".'

    def deserialize_connection(self, conn_id: str, value: str) -> Connection:
        """As the base class does; a JSON object may also have the field names of Airflow's Secrets Manager backend.

        Other keys of such an object are ignored, as in Airflow.
        """
        if self.connection_map is None and value.lstrip().startswith("{"):
            value = _in_our_words(conn_id, value, self._words)
        return super().deserialize_connection(conn_id, value)

    def fetch_many(self, client: Any, names: list[str]) -> Values:
        """All names are left out if the call is refused: for lack of its permission, or because of one name."""
        try:
            return self.several(client, names)
        except Exception as fault:
            if botocores.code_of(fault) not in OF_ONE_NAME:
                raise
        return {}

    def several(self, client: Any, names: list[str]) -> Values:
        """The answer of one call, see `fetch_many`."""
        raise NotImplementedError

    def pages(self, call: Callable[..., Any], key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """The entries of a list that comes in pages."""
        token: dict[str, str] = {}
        while True:
            answer = call(**arguments, **token)
            if answer.get(key) is None:
                raise self.failed("", CUT_SHORT, self.where())
            yield from answer[key]
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def whole(self, value: str | bytes | None, name: str) -> str | bytes:
        """The value of an answer. Raises BackendUnavailable: it has none."""
        if value is None:
            raise self.failed("", CUT_SHORT, self.where(name))
        return value


class SecretsManagerBackend(AwsBackend):
    """AWS Secrets Manager; Airflow's class of this name, with the same kwargs and the same names of secrets.

    A version is a staging label (`AWSPREVIOUS`) or, with 32 to 64 characters, the id of a version.
    """

    service = "secretsmanager"
    store = "AWS Secrets Manager"
    acts = {
        "read": ("reading it", "secretsmanager:GetSecretValue"),
        "list": ("listing the secrets", "secretsmanager:ListSecrets"),
        **ROLE_ACTS,
    }
    batch_size = 20
    alone_up_to = 4
    other_versions = ("AWSPENDING", "AWSPREVIOUS")
    _no_batches_until = 0.0

    def fetch_many(self, client: Any, names: list[str]) -> Values:
        """As in the base class. All names are left out for a while after a throttled batch.

        AWS takes 100 batches a second of one account and region, and no more; but 10,000 single calls.
        """
        if monotonic() < self._no_batches_until:
            return {}
        try:
            return super().fetch_many(client, names)
        except Exception as fault:
            if botocores.code_of(fault) not in THROTTLED:
                raise
        self._no_batches_until = monotonic() + about(_NO_BATCHES_FOR)
        return {}

    def name_of(self, kind: str, secret_id: str, team: str | None = None) -> str | None:
        """As in `StoreBackend`; as in Airflow's class, there are no teams below an empty prefix."""
        return None if team and not self.prefix(kind) else super().name_of(kind, secret_id, team)

    def is_name(self, name: str) -> bool:
        return consists_of(name, "/_+=.@!-:" if name.startswith("arn:") else "/_+=.@!-")

    def is_version(self, version: str) -> bool:
        return 0 < len(version) <= 256

    def fetch(self, client: Any, name: str, version: str | None) -> str | bytes:
        arguments = {"SecretId": name}
        if version is not None:
            arguments["VersionId" if 32 <= len(version) <= 64 else "VersionStage"] = version
        answer = client.get_secret_value(**arguments)
        if name not in (answer.get("Name"), answer.get("ARN"), str(answer.get("ARN", ""))[:-7]):
            raise self.failed("", OTHER_NAME, self.where(name))
        return self.whole(answer.get("SecretString", answer.get("SecretBinary")), name)

    def several(self, client: Any, names: list[str]) -> Values:
        answer = client.batch_get_secret_value(SecretIdList=names)
        found: Values = {}
        for error in answer.get("Errors", ()):
            name, code = error.get("SecretId", ""), botocores.shown(error.get("ErrorCode"))
            failure = None if code in ABSENT else self.failed(code, code, self.where(name))
            if not isinstance(failure, BackendUnavailable):  # else it is asked for alone, with the client's retries
                found[name] = failure
        for entry in answer.get("SecretValues", ()):
            value = entry.get("SecretString", entry.get("SecretBinary"))
            found |= {} if value is None else {entry.get("Name", ""): value}
        return found

    def names(self, client: Any, start: str) -> Iterator[str]:
        """Page by page. Needs `secretsmanager:ListSecrets`."""
        filters = [{"Key": "name", "Values": [start]}] if start else []
        for entry in self.pages(client.list_secrets, "SecretList", MaxResults=100, Filters=filters):
            yield entry["Name"]


class SystemsManagerParameterStoreBackend(AwsBackend):
    """AWS Systems Manager Parameter Store; Airflow's class of this name, with the same kwargs and names.

    Names begin with `/`, which is added where it is missing. A version is a number or a label.
    """

    service = "ssm"
    store = "AWS SSM Parameter Store"
    acts = {
        "read": ("reading it", "ssm:GetParameter"),
        "list": ("listing the parameters", "ssm:DescribeParameters"),
        **ROLE_ACTS,
    }
    batch_size = 10

    def joined(self, prefix: str, secret_id: str) -> str:
        name = super().joined(prefix, secret_id)
        return name if name.startswith("/") else f"/{name}"

    def is_name(self, name: str) -> bool:
        return consists_of(name, "/_.-")  # a colon would be read as the start of a version: the value of another name

    def is_version(self, version: str) -> bool:
        return consists_of(version, "_.-")

    def where(self, name: str = "", version: str | None = None) -> str:
        return super().where(name) + (f":{version}" if version else "")

    def fetch(self, client: Any, name: str, version: str | None) -> str | bytes:
        full = name if version is None else f"{name}:{version}"
        entry = client.get_parameter(Name=full, WithDecryption=True).get("Parameter", {})
        if entry.get("Name") != name:
            raise self.failed("", OTHER_NAME, self.where(name, version))
        return self.whole(entry.get("Value"), name)

    def several(self, client: Any, names: list[str]) -> Values:
        answer = client.get_parameters(Names=names, WithDecryption=True)
        values = {entry.get("Name", ""): entry.get("Value") for entry in answer.get("Parameters", ())}
        found: Values = dict.fromkeys(answer.get("InvalidParameters", ()))
        return found | {name: value for name, value in values.items() if value is not None}

    def names(self, client: Any, start: str) -> Iterator[str]:
        """Page by page. Needs `ssm:DescribeParameters`."""
        filters = [{"Key": "Name", "Option": "BeginsWith", "Values": [start]}]
        for entry in self.pages(client.describe_parameters, "Parameters", MaxResults=50, ParameterFilters=filters):
            yield entry["Name"]


def _extended(more: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    words = dict(_WORDS)
    for field, others in given.mapping(more, "extra_conn_words").items():
        field = "login" if field == "user" else field
        if field not in words or not isinstance(others, list):
            hint = f'Write {{"login": ["account"]}}; the fields are {", ".join(words)}.'
            raise BackendError("extra_conn_words must map fields to lists of words", hint=hint)
        words[field] += tuple(others)
    return words


def _in_our_words(conn_id: str, text: str, words: Mapping[str, tuple[str, ...]]) -> str:
    """A JSON object with the field names of a connection; the text as it is if it has them, or is not an object."""
    given = json_object(text)
    if given is None or set(given) <= set(words):
        return text
    found = {field: next((given[key] for key in given if key in known), None) for field, known in words.items()}
    if given and all(value is None for value in found.values()):
        hint = "Map the fields by extra_conn_words or [secrets] connection_map."
        warn_of_empty(conn_id, given, "no field of a connection", hint)
    return as_json(found)
