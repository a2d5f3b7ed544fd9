"""The settings of the tests: those of the product, with a temporary data folder."""

import os
import tempfile

_folder = tempfile.TemporaryDirectory(prefix="blogsite-tests-", ignore_cleanup_errors=True)
os.environ["BLOG_DATA_DIR"] = _folder.name
os.environ.setdefault("SECRET_KEY", "a secret key that only the tests use")
os.environ.setdefault("BLOG_TOKEN_KEYS", "a key for signing access tokens that only the tests of Blogsite use")

from blogsite.settings import *  # noqa: E402, F403
from blogsite.settings import DATA_DIR, DATABASES, ON_SQLITE  # noqa: E402

if ON_SQLITE:
    # A file, because a database in memory has no WAL, and all threads would share one connection.
    DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}
