"""Django's settings: nothing in here differs between machines, and nothing is a secret."""

import sys
from pathlib import Path

from framework import App
from framework.integrations import django

BASE_DIR = Path(__file__).resolve().parents[1]
missing_secrets = "placeholder" if "collectstatic" in sys.argv else "error"  # a build has no secrets
app = App.from_project(BASE_DIR, missing_secrets=missing_secrets).use()
conf = app.conf

SECRET_KEY = conf.get("django", "secret_key")
DEBUG = conf.value("django", "debug")
ALLOWED_HOSTS = conf.value("django", "allowed_hosts")

DATABASES = {"default": django.database("default", CONN_MAX_AGE=60)}
CACHES = {"default": django.cache("cache")}
vars().update(django.email("mail"))

INSTALLED_APPS = ["framework.integrations.django", "django.contrib.staticfiles", "shop"]
ROOT_URLCONF = "shop.urls"
STATIC_URL, STATIC_ROOT = "static/", BASE_DIR / "static"
USE_TZ = True
