"""The project: how requests are served, and what all apps share.

`pysqlite3` takes the place of the standard `sqlite3` before anything imports it. The SQLite library that Python was
built with may be one of 3.7.0 to 3.51.2, which can corrupt a WAL database written by two connections
(https://sqlite.org/wal.html#walresetbug). Where the package has no wheel, the standard module serves and the system
check `blogsite.W001` says so.
"""

import sys

try:
    import pysqlite3
except ImportError:
    pass
else:
    sys.modules["sqlite3"] = pysqlite3
    sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2
