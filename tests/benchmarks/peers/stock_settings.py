"""The settings of the peers on Django: Blogsite's database and models, and the defaults of `startproject`."""

import os

from blogsite.settings import *  # noqa: F403
from blogsite.settings import DATABASES, INSTALLED_APPS

ROOT_URLCONF = os.environ["PEER_URLCONF"]
INSTALLED_APPS = [*INSTALLED_APPS, *filter(None, [os.environ.get("PEER_APP")])]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
DATABASES["default"]["CONN_MAX_AGE"] = int(os.environ.get("PEER_CONN_MAX_AGE", "0"))

BOLT_API = ["tests.benchmarks.peers.bolt:api"]
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
