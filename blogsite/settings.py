"""All settings of Django, made from the environment (`blogsite.environment`).

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

# What is served, and to whom.
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
    "ninja",  # serves the API's documentation from here: without it, ninja loads it from a CDN
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

# Django's stock list, which the admin and `check --deploy` expect, and the content security policy.
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

# The database: one SQLite file, or what DATABASE_URL names.
DATA_DIR = env.blog_data_dir.absolute()
DATABASES = {"default": dj_database_url.parse(env.database_url or f"sqlite:///{DATA_DIR / 'blog.sqlite3'}")}
DATABASES["default"]["CONN_MAX_AGE"] = None  # connections live as long as their threads
DATABASES["default"].setdefault("OPTIONS", {})  # what the URL says of TLS, say
ON_SQLITE = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
if ON_SQLITE:
    DATABASES["default"]["OPTIONS"] |= {
        # A transaction that will write takes the write lock at its start, so that it waits instead of failing midway.
        "transaction_mode": "IMMEDIATE",
        # Longest wait for another writer, in seconds.
        "timeout": 5,
        # WAL: readers and the writer do not wait for each other. FULL: an acknowledged write survives a power cut.
        # journal_size_limit: a log that once grew is cut back to 64 MiB.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; "
        "PRAGMA journal_size_limit=67108864",
    }
else:
    # Connections are kept by psycopg's pool, and looked at before each lease: a server that was restarted costs nobody
    # an error. A statement that runs longer than 15 seconds is ended.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["OPTIONS"] |= {
        # A connection for each thread that reads, for those of logins, of uploads and of the clock, and one to spare.
        "pool": {"timeout": 5, "max_size": env.blog_database_threads + 4},
        "options": "-c statement_timeout=15000 -c lock_timeout=5000",
    }
# Threads that talk to the database, each with its own connection; on SQLite one more is the writer's.
DATABASE_THREADS = env.blog_database_threads
DATABASE_TIMEOUT = 5
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Secrets.
if not ON_SQLITE and not (env.secret_key and env.blog_token_keys):
    # Generated keys live in one machine's data folder; servers that share a PostgreSQL database must share keys too.
    raise ImproperlyConfigured("With PostgreSQL, set SECRET_KEY and BLOG_TOKEN_KEYS, the same on every server.")
SECRET_KEY = env.secret_key or read_or_create_key(DATA_DIR / "secret_key")
TOKEN_KEYS = env.blog_token_keys or [read_or_create_key(DATA_DIR / "token_key")]
ACCESS_TOKEN_SECONDS = 600
# A session ends when it was not refreshed for so long, and in any case after its lifetime.
SESSION_IDLE = timedelta(days=7)
SESSION_LIFETIME = timedelta(days=30)
PASSWORD_RESET_TIMEOUT = 3600
PASSWORD_RESET_URL = env.blog_password_reset_url or f"{BLOG_URL}/password-reset?uid={{uid}}&token={{token}}"
# Failed attempts that an address has before it must wait (`accounts.login_throttle`).
# They are counted in Redis, or else in each worker.
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

# HTTPS, as soon as the public origin says so.
_https = BLOG_URL.startswith("https://")
SECURE_SSL_REDIRECT = _https
SECURE_PROXY_SSL_HEADER = None  # uvicorn reads the forwarded headers of trusted proxies (FORWARDED_ALLOW_IPS)
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _https else 0
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_SECURE = _https
CSRF_TRUSTED_ORIGINS = [BLOG_URL]
# W005 and W021 want HSTS for all subdomains, and on the browsers' preload list. A blog cannot promise that for its
# siblings under one domain; a proxy that may can add the header. E003 does not see that the constraint
# `accounts_user_username_unique` makes the name unique, in every case of letters.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021", "auth.E003"]

# Pages load nothing from elsewhere. `data:` images are the icons of the API's documentation.
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

# Uploaded images. Their files are served at MEDIA_URL by a layer of our own, wherever they are stored.
STORAGES = {
    "default": env.media_storage(),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MEDIA_QUOTA_BYTES = env.blog_media_quota

# Uploaded files are always stored here, and read from here (`posts.media.services`). Their metadata is not removed yet:
# no other user of the machine may read them.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "temporary"
try:
    FILE_UPLOAD_TEMP_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(f"Bad setting BLOG_DATA_DIR: {DATA_DIR} cannot be made ({error.strerror}).") from None

# Request bodies are bounded before Django sees them: the beginning of a path, and its limit in bytes.
_UPLOAD = 10 * 1024 * 1024 + 64 * 1024  # a file, and what is around it
BODY_LIMITS = [
    ("/api/v1/auth/", 64 * 1024),
    ("/api/v1/media", _UPLOAD),
    ("/admin/posts/media/", 4 * _UPLOAD),  # where the form says that a file is too long
    ("", env.blog_max_body_bytes),
]
BODY_TIMEOUT = env.blog_body_timeout
DATA_UPLOAD_MAX_MEMORY_SIZE = env.blog_max_body_bytes

# Texts, times and files.
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
        # A client's mistake is answered, not logged: only 5xx reach the log.
        "django.request": {"level": "ERROR"},
    },
}
