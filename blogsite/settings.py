"""Django's settings, made from the environment variables that `blogsite.environment` reads.

https://docs.djangoproject.com/en/5.2/ref/settings/
"""

from datetime import timedelta

import dj_database_url
import django_stubs_ext
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from blogsite.environment import read_environment
from blogsite.keys import read_or_create_key

django_stubs_ext.monkeypatch()

env = read_environment()

# The site and the hosts that it serves.
DEBUG = env.debug
ALLOWED_HOSTS = env.allowed_hosts
BLOG_URL = env.blog_url
BLOG_POST_URL = env.blog_post_url or f"{BLOG_URL}/posts/{{slug}}"
BLOG_TITLE = env.blog_title
BLOG_DESCRIPTION = env.blog_description
BLOG_LANGUAGE = env.blog_language
BLOG_REGISTRATION_OPEN = env.blog_registration == "open"
CORS_ALLOWED_ORIGINS = env.cors_allowed_origins
RESPONSE_CACHE_BYTES = env.blog_response_cache_bytes
PUBLIC_MAX_AGE = env.blog_public_max_age
REVISIONS_KEEP = env.blog_revisions_keep
FORWARDED_ALLOW_IPS = env.forwarded_allow_ips
ROOT_URLCONF = "blogsite.urls"
APPEND_SLASH = True

INSTALLED_APPS = [
    "blogsite",
    "accounts",
    "posts",
    "ninja",  # serves the API documentation's own files; without this app, the page loads them from a CDN
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

# Django's stock list, which the admin site and `check --deploy` expect, and the content security policy.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# The database: one SQLite file, or the server in DATABASE_URL.
DATA_DIR = env.blog_data_dir.absolute()
DATABASES = {"default": dj_database_url.parse(env.database_url or f"sqlite:///{DATA_DIR / 'blog.sqlite3'}")}
DATABASES["default"]["CONN_MAX_AGE"] = None  # connections live as long as their threads
DATABASES["default"].setdefault("OPTIONS", {})  # the URL may have set some, such as those of TLS
ON_SQLITE = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
if ON_SQLITE:
    DATABASES["default"]["OPTIONS"] |= {
        # A transaction takes the write lock when it begins, so that it waits for the lock instead of failing midway.
        "transaction_mode": "IMMEDIATE",
        # The longest wait for another writer, in seconds.
        "timeout": 5,
        # WAL: readers and the writer do not block each other. FULL: a committed write survives a power failure.
        # journal_size_limit: a large write-ahead log is truncated to 64 MiB.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; "
        "PRAGMA journal_size_limit=67108864",
    }
else:
    # psycopg's pool keeps the connections and checks each one before it is leased, so that a restart of the database
    # server causes no errors. A statement that runs longer than 15 seconds is cancelled.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["OPTIONS"] |= {
        # One connection per reading thread, one each for passwords, uploads and the change detector, and one spare.
        "pool": {"timeout": 5, "max_size": env.blog_database_threads + 4},
        "options": "-c statement_timeout=15000 -c lock_timeout=5000",
    }
# Threads that use the database, each with its own connection. SQLite has one more, for writes.
# DATABASE_TIMEOUT is the longest wait for such a thread, in seconds.
DATABASE_THREADS = env.blog_database_threads
DATABASE_TIMEOUT = 5
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Secrets.
if not ON_SQLITE and not (env.secret_key and env.blog_token_keys):
    # Generated keys are stored in one machine's data folder; servers that share a database must also share their keys.
    raise ImproperlyConfigured("With PostgreSQL, set SECRET_KEY and BLOG_TOKEN_KEYS, the same on every server.")
SECRET_KEY = env.secret_key or read_or_create_key(DATA_DIR / "secret_key")
TOKEN_KEYS = env.blog_token_keys or [read_or_create_key(DATA_DIR / "token_key")]
ACCESS_TOKEN_SECONDS = 600
# A session ends when it has not been refreshed for SESSION_IDLE, and SESSION_LIFETIME after its start at the latest.
SESSION_IDLE = timedelta(days=7)
SESSION_LIFETIME = timedelta(days=30)
PASSWORD_RESET_TIMEOUT = 3600
PASSWORD_RESET_URL = env.blog_password_reset_url or f"{BLOG_URL}/password-reset?uid={{uid}}&token={{token}}"
# How many attempts a client address may fail before it must wait (`accounts.login_throttle`).
# Failures are counted in Redis, or in each worker if there is no Redis.
FREE_FAILURES = env.blog_free_failures
REDIS_URL = env.redis_url

# Mail.
vars().update(env.email_settings())
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.blog_mail_from

# Users and passwords.
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["accounts.credentials.passwords.Argon2Hasher", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "email", "full_name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"

# HTTPS, if the public origin uses it.
_https = BLOG_URL.startswith("https://")
SECURE_SSL_REDIRECT = _https
SECURE_PROXY_SSL_HEADER = None  # uvicorn reads the headers of trusted proxies (FORWARDED_ALLOW_IPS)
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _https else 0
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_SECURE = _https
CSRF_TRUSTED_ORIGINS = [BLOG_URL]
# W005 and W021 ask for HSTS on all subdomains and for the browsers' preload list. The site cannot decide that for other
# sites of its domain; a proxy can add the header. E003 does not recognise that the constraint
# `accounts_user_username_unique` makes the username unique, regardless of case.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021", "auth.E003"]

# Pages load nothing from other origins, except images from the media storage. The API documentation's icons are
# `data:` images.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", *env.media_origins()],
        "style-src": [SELF, "'unsafe-inline'"],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"

# Uploaded images. `blogsite.serving.media_files` serves them at MEDIA_URL, wherever they are stored.
MEDIA_URL = "/media/"
STORAGES = {
    "default": env.media_storage(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MEDIA_QUOTA_BYTES = env.blog_media_quota

# Uploads in progress. They are original files, which may contain private metadata: only this user may read the folder.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "temporary"
try:
    FILE_UPLOAD_TEMP_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(f"Bad setting BLOG_DATA_DIR: {DATA_DIR} cannot be created ({error.strerror}).") from None

# Request bodies. `blogsite.http.routes` has the limits of single paths.
BODY_TIMEOUT = env.blog_body_timeout
DATA_UPLOAD_MAX_MEMORY_SIZE = env.blog_max_body_bytes

# Language, time zone and static files.
LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO"},
        # Only 5xx responses are logged: a 4xx is the client's error.
        "django.request": {"level": "ERROR"},
    },
}
