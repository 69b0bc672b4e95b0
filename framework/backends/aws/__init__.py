"""AWS Secrets Manager, AWS Systems Manager Parameter Store, and tokens for databases of AWS RDS."""

from framework.backends.aws.stores import SecretsManagerBackend, SystemsManagerParameterStoreBackend
from framework.backends.aws.tokens import AwsRdsTokensBackend

__all__ = ["AwsRdsTokensBackend", "SecretsManagerBackend", "SystemsManagerParameterStoreBackend"]

for _class in (AwsRdsTokensBackend, SecretsManagerBackend, SystemsManagerParameterStoreBackend):
    _class.__module__ = __name__  # the class path for configuration files and messages
