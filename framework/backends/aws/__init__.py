"""AWS Secrets Manager and AWS Systems Manager Parameter Store."""

from framework.backends.aws.stores import SecretsManagerBackend, SystemsManagerParameterStoreBackend

__all__ = ["SecretsManagerBackend", "SystemsManagerParameterStoreBackend"]

for _class in (SecretsManagerBackend, SystemsManagerParameterStoreBackend):
    _class.__module__ = __name__  # the class path that people write, and are shown
