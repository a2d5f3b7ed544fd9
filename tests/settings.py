"""The settings of the tests: the real ones, on a data folder of their own."""

import os
import tempfile

os.environ["BLOG_DATA_DIR"] = tempfile.mkdtemp(prefix="blogsite-tests-")
os.environ.setdefault("SECRET_KEY", "a key for the tests, and for nothing else")
os.environ.setdefault("BLOG_TOKEN_KEYS", "a key for the tokens of the tests and for nothing else")

from blogsite.settings import *  # noqa: F403
from blogsite.settings import DATA_DIR, DATABASES, ON_SQLITE

if ON_SQLITE:
    # A file: in memory there is no WAL, and threads would share one connection.
    DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}
