"""The settings of the tests: the real ones, on a data folder of their own."""

import os
import tempfile

_folder = tempfile.TemporaryDirectory(prefix="blogsite-tests-", ignore_cleanup_errors=True)
os.environ["BLOG_DATA_DIR"] = _folder.name
os.environ.setdefault("SECRET_KEY", "a key for the tests, and for nothing else")
os.environ.setdefault("BLOG_TOKEN_KEYS", "a key for the tokens of the tests and for nothing else")

from blogsite.settings import *  # noqa: E402, F403
from blogsite.settings import DATA_DIR, DATABASES, ON_SQLITE  # noqa: E402

if ON_SQLITE:
    # A file: in memory there is no WAL, and threads would share one connection.
    DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}
