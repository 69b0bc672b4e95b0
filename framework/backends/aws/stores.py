"""AWS Secrets Manager and AWS Systems Manager Parameter Store.

A name is absent only if AWS says so: what an answer leaves out is asked for again, and then a failure.
"""

from __future__ import annotations

from framework import given
from framework.backends.aws.client import ANOTHERS, CUT_SHORT, OF_ONE_NAME, Client, consists_of, shown
from framework.backends.aws.role import KWARGS, Role
from framework.backends.base import read_each
from framework.backends.named import DEFAULT, StoreBackend
from framework.backends.session import file_for_the_client
from framework.errors import BackendError, BackendUnavailable, InvalidSecret, SecretsError, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from framework.backends.aws.client import Fault
    from framework.connection import Connection

    Said = str | SecretsError | None  # a text, a failure, or None: AWS says that there is none

#: The words for the fields of a connection, as in Airflow; `dbname` is what AWS's own rotation writes for RDS.
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


#: What Airflow's classes took once, or take and ignore -> what to do instead.
RETIRED = {
    "full_url_mode": "JSON and URIs are told apart",
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
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


class AwsBackend(StoreBackend):
    """What both stores share.

    Args:
        connections_prefix, variables_prefix, config_prefix, sep: as in `StoreBackend`.
        connections_lookup_pattern, variables_lookup_pattern, config_lookup_pattern: as in `StoreBackend`.
        extra_conn_words: more words for the fields of a connection, `{"login": ["account"]}`; `user` stands for login.
        region_name, profile_name, aws_access_key_id, aws_secret_access_key, aws_session_token: as for any AWS client.
        role_arn: a role to assume; its credentials are renewed before they end.
        assume_role_method, assume_role_kwargs, assume_role_with_web_identity_*: how it is assumed, see `Role`.
        session_kwargs: its aws_access_key_id, aws_secret_access_key and aws_session_token stand in for ours.
        service_config: its `{"sts": {"endpoint_url": …}}` is where STS is.
        config_kwargs: arguments of `botocore.config.Config` for STS alone, as in Airflow.
        endpoint_url, api_version, use_ssl: as for any AWS client.
        verify: whether to check the server's certificate, or the path of a CA bundle.
        config: arguments of `botocore.config.Config`, over ours.
        **retired: what Airflow's class takes without any effect is ignored with a warning, see `RETIRED`.

    Attributes:
        batch_size: how many names one call may ask for.

    Raises:
        BackendError: extra_conn_words is no table of lists, or half of a key is given.
    """

    service = ""
    store = ""
    retired = RETIRED

    def __init__(
        self,
        connections_prefix: str | None = DEFAULT,
        variables_prefix: str | None = DEFAULT,
        config_prefix: str | None = DEFAULT,
        sep: str = "/",
        connections_lookup_pattern: str | None = None,
        variables_lookup_pattern: str | None = None,
        config_lookup_pattern: str | None = None,
        extra_conn_words: dict[str, list[str]] | None = None,
        region_name: str | None = None,
        profile_name: str | None = None,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        role_arn: str | None = None,
        endpoint_url: str | None = None,
        verify: bool | str | None = None,
        api_version: str | None = None,
        use_ssl: bool | None = None,
        config: dict[str, Any] | None = None,
        assume_role_method: str | None = None,
        assume_role_kwargs: dict[str, Any] | None = None,
        assume_role_with_web_identity_federation: str | None = None,
        assume_role_with_web_identity_token_file: str | None = None,
        assume_role_with_web_identity_federation_audience: str | None = None,
        session_kwargs: dict[str, Any] | None = None,
        service_config: dict[str, Any] | None = None,
        config_kwargs: dict[str, Any] | None = None,
        **retired: Any,
    ) -> None:
        how = {name: given for name, given in locals().items() if name in KWARGS}
        super().__init__(
            _stripped(connections_prefix, sep),
            _stripped(variables_prefix, sep),
            _stripped(config_prefix, sep),
            sep,
            connections_lookup_pattern,
            variables_lookup_pattern,
            config_lookup_pattern,
        )
        self._words = _extended(extra_conn_words or {})
        session = session_kwargs or {}
        if not isinstance(session, dict):
            raise BackendError("session_kwargs is no JSON object", hint="Correct it in backend_kwargs.")
        if not (aws_access_key_id or aws_secret_access_key):
            aws_access_key_id, aws_secret_access_key = map(session.get, _KEYS[:2])
        if bool(aws_access_key_id) != bool(aws_secret_access_key):
            hint = "Set both, or neither."
            raise BackendError("aws_access_key_id and aws_secret_access_key belong together", hint=hint)
        keys = (aws_access_key_id, aws_secret_access_key, aws_session_token or session.get(_KEYS[2]))
        self._role = (role_arn, how)
        self._warn_of(retired, {} if role_arn else how, session, service_config if role_arn else None)
        self._settings: dict[str, Any] = {
            "profile": profile_name,
            "keys": keys if aws_access_key_id else None,
            "config": config or {},
            "region_name": region_name,
            "endpoint_url": endpoint_url,
            "verify": {"true": True, "false": False}.get(str(verify).lower(), verify),  # text from the environment
            "api_version": api_version,
            "use_ssl": use_ssl is not False,
        }
        self._client = self._new_client()

    def bind(self, app_name: str, directory: str) -> None:
        super().bind(app_name, directory)
        if isinstance(self._settings["verify"], str):
            self._settings["verify"] = file_for_the_client(self._settings["verify"], directory, "verify")
        self._client = self._new_client()

    def _new_client(self) -> Client:
        arn, how = self._role
        name = f"{self.app_name}_{type(self).__name__}__connection".lower()  # as in Airflow
        role = Role(arn, name, self.directory, how) if arn else None
        return Client(self.service, self.store, role=role, workers=self.max_workers, **self._settings)

    def _warn_of(
        self, retired: Mapping[str, Any], of_a_role: Mapping[str, Any], session: Mapping[str, Any], services: Any
    ) -> None:
        """Warn, once, of all that has no effect. Raises TypeError for a kwarg that nobody ever had."""
        if unknown := [name for name in retired if name not in RETIRED]:
            raise TypeError(f"{type(self).__name__} takes no argument {unknown[0]!r}")
        ignored = {name: RETIRED[name] for name in retired}
        ignored |= {name: "it is for a role: set role_arn" for name, given in of_a_role.items() if given}
        ignored |= {f"session_kwargs.{name}": f"set {name}" for name in session if name not in _KEYS}
        ignored |= {f"service_config.{name}": "only that of sts has one" for name in services or () if name != "sts"}
        if ignored:
            reasons = ", ".join(f"{name} ({reason})" for name, reason in ignored.items())
            warn(f"{type(self).__name__}: without effect here, as in Airflow, are {reasons}. Remove them.")

    @property
    def logins(self) -> int:
        """How many clients were made so far: one in each process that asks."""
        return self._client.made

    def mistake(self, kind: str, name: str) -> str:
        """What is wrong with an ARN for a name: it is one only where no prefix is put before it. Else empty."""
        if not name.startswith("arn:") or not self.prefix(kind):
            return ""
        prefix = self.joined(self.prefix(kind) or "", "")
        rest = name.rpartition(prefix.lstrip("/"))[2].rpartition(":")[2]
        if self.service == "secretsmanager" and rest[-7:-6] == "-":  # AWS adds six characters to a secret's name
            rest = rest[:-7]
        return f'This is an ARN, but {prefix} is put before it: write {rest}, or set "{self.switches[kind]}": "".'

    def deserialize_connection(self, conn_id: str, value: str) -> Connection:
        """As the base does; a JSON object may also use the words that Airflow's Secrets Manager backend knows.

        Other keys of such an object say nothing, as in Airflow.
        """
        if self.connection_map is None and value.lstrip().startswith("{"):
            value = _in_our_words(conn_id, value, self._words)
        return super().deserialize_connection(conn_id, value)

    def read(self, name: str, version: str | None = None) -> str | None:
        said = self._ask(name, version)
        if isinstance(said, SecretsError):
            raise said
        return said

    def read_many(self, names: list[str]) -> Mapping[str, str | SecretsError]:
        names = [name for name in names if self._can_exist(name)]
        said: dict[str, Said] = {}
        starts = range(0, len(names), self.batch_size)
        for batch in [names[start : start + self.batch_size] for start in starts]:
            said.update(self._ask_batch(batch) if len(batch) > 1 else {})
        # What the batches leave open, be it by a refusal or by an answer cut short, is asked for alone.
        alone = read_each(self.read, [name for name in names if name not in said])
        return {**{name: answer for name, answer in said.items() if answer is not None}, **alone}

    def _ask_batch(self, names: list[str]) -> dict[str, Said]:
        """What the store says to each name in one call; what it leaves open is left out.

        It is all left open if the call is refused, be it for want of its permission or for one of these names.
        """
        answers = self._ask_several(names)
        if isinstance(answers, dict):
            return {name: said for name, said in answers.items() if name in names}
        return {} if answers[0] in OF_ONE_NAME else {name: self._client.failure(answers, name) for name in names}

    def _text(self, name: str, text: str | None, binary: bytes | None = None) -> Said:
        """What an entry holds, be it stored as text or as bytes."""
        if text is not None:
            return text
        if binary is None:
            return self._client.failure(CUT_SHORT, name)
        try:
            return binary.decode("utf-8")
        except UnicodeDecodeError:
            pass  # an error made in there would carry the secret along
        hint = "Store it as text, as base64 for example."
        return InvalidSecret("the secret is binary, and no UTF-8", where=f"{self.store} {name}", hint=hint)

    # -- what differs between the two stores

    def _can_exist(self, name: str, version: str | None = None) -> bool:
        """Whether the store could have it. Others are not asked for: AWS would refuse them, or read something else."""
        raise NotImplementedError

    def _ask(self, name: str, version: str | None = None) -> Said:
        """What the store says to one name."""
        raise NotImplementedError

    def _ask_several(self, names: list[str]) -> dict[str, Said] | Fault:
        """What the store says to each name in one call; what it leaves open is left out."""
        raise NotImplementedError


class SecretsManagerBackend(AwsBackend):
    """AWS Secrets Manager; Airflow's class of this name, with the same kwargs and the same names of secrets.

    A version is a staging label (`AWSPREVIOUS`) or, with 32 to 64 characters, the id of a version.
    """

    service = "secretsmanager"
    store = "AWS Secrets Manager"
    batch_size = 20

    def name_of(self, kind: str, secret_id: str, team: str | None = None) -> str | None:
        """As in `StoreBackend`; in Airflow's class there are no teams below an empty prefix."""
        return None if team and not self.prefix(kind) else super().name_of(kind, secret_id, team)

    def _can_exist(self, name: str, version: str | None = None) -> bool:
        others = "/_+=.@!-:" if name.startswith("arn:") else "/_+=.@!-"
        return consists_of(name, others) and (version is None or 0 < len(version) <= 256)

    def _ask(self, name: str, version: str | None = None) -> Said:
        if not self._can_exist(name, version):
            return None
        arguments = {"SecretId": name}
        if version is not None:
            arguments["VersionId" if 32 <= len(version) <= 64 else "VersionStage"] = version
        answer, fault = self._client.call("get_secret_value", **arguments)
        if fault is not None:
            return self._client.failure(fault, name)
        if name not in (answer.get("Name"), answer.get("ARN"), str(answer.get("ARN", ""))[:-7]):
            return self._client.failure(ANOTHERS, name)
        return self._text(name, answer.get("SecretString"), answer.get("SecretBinary"))

    def _ask_several(self, names: list[str]) -> dict[str, Said] | Fault:
        answer, fault = self._client.call("batch_get_secret_value", SecretIdList=names)
        if fault is not None:
            return fault
        said: dict[str, Said] = {}
        for error in answer.get("Errors", ()):
            name = error.get("SecretId", "")
            failure = self._client.failure((shown(error.get("ErrorCode")), "GetSecretValue"), name)
            if not isinstance(failure, BackendUnavailable):  # else it is asked alone, with the client's tries
                said[name] = failure
        for entry in answer.get("SecretValues", ()):
            name = entry.get("Name", "")
            said[name] = self._text(name, entry.get("SecretString"), entry.get("SecretBinary"))
        return said

    def names_below(self, start: str) -> Iterator[str]:
        """Page by page. Needs `secretsmanager:ListSecrets`."""
        filters = [{"Key": "name", "Values": [start]}] if start else []
        for entry in self._client.pages("list_secrets", "SecretList", MaxResults=100, Filters=filters):
            yield entry["Name"]


class SystemsManagerParameterStoreBackend(AwsBackend):
    """AWS Systems Manager Parameter Store; Airflow's class of this name, with the same kwargs and names.

    Names begin with `/`, which is added where it is missing. A version is a number or a label.
    """

    service = "ssm"
    store = "AWS SSM Parameter Store"
    batch_size = 10

    def joined(self, prefix: str, secret_id: str) -> str:
        name = super().joined(prefix, secret_id)
        return name if name.startswith("/") else f"/{name}"

    def _can_exist(self, name: str, version: str | None = None) -> bool:
        # A colon would be read as the start of a version: the value of another name.
        return consists_of(name, "/_.-") and (version is None or consists_of(version, "_.-"))

    def _ask(self, name: str, version: str | None = None) -> Said:
        if not self._can_exist(name, version):
            return None
        full = name if version is None else f"{name}:{version}"
        answer, fault = self._client.call("get_parameter", Name=full, WithDecryption=True)
        if fault is not None:
            return self._client.failure(fault, full)
        entry = answer.get("Parameter", {})
        if entry.get("Name") != name:
            return self._client.failure(ANOTHERS, full)
        return self._text(full, entry.get("Value"))

    def _ask_several(self, names: list[str]) -> dict[str, Said] | Fault:
        answer, fault = self._client.call("get_parameters", Names=names, WithDecryption=True)
        if fault is not None:
            return fault
        said: dict[str, Said] = dict.fromkeys(answer.get("InvalidParameters", ()))
        for entry in answer.get("Parameters", ()):
            name = entry.get("Name", "")
            said[name] = self._text(name, entry.get("Value"))
        return said

    def names_below(self, start: str) -> Iterator[str]:
        """Page by page. Needs `ssm:DescribeParameters`."""
        filters = [{"Key": "Name", "Option": "BeginsWith", "Values": [start]}]
        for entry in self._client.pages("describe_parameters", "Parameters", MaxResults=50, ParameterFilters=filters):
            yield entry["Name"]


def _stripped(prefix: str | None, sep: str) -> str | None:
    """As in Airflow, where a prefix may end with separators; one that is nothing else is the bare id."""
    return prefix.rstrip(sep) if isinstance(prefix, str) else prefix


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
    """A JSON object in the words of a connection; the text as it is if it is in them, or no object."""
    import json

    from framework.files.formats import read_json

    try:
        said = read_json(text)
    except ValueError:
        return text  # told where it is read
    if not isinstance(said, dict) or set(said) <= set(words):
        return text
    found = {field: next((said[key] for key in said if key in known), None) for field, known in words.items()}
    if said and all(value is None for value in found.values()):
        from framework.backends.fields import warn_of_nothing

        hint = "Say in extra_conn_words or [secrets] connection_map which field is which."
        warn_of_nothing(conn_id, said, "no field of a connection", hint)
    return json.dumps({field: value for field, value in found.items() if value is not None})
