"""Database triggers that update the tag index (`PostTag`) and the search index (`SearchEntry`) of the posts.

They run for every write of a post: by a service, by `bulk_create`, or by SQL in a shell. On PostgreSQL, more triggers
notify all servers of changes. All are installed after every migration, because Django's way to alter a table on SQLite
silently drops its triggers.
"""

from collections.abc import Iterator
from typing import Any

from django.db import connections, transaction

_COLUMNS = {"tags": ("tags", "published", "published_at", "trashed_at"), "search": ("title", "content")}
"""The columns of a post from which each index is made."""

_TRIGGER_NAMES = tuple(f"posts_post_{index}_{event}" for index in _COLUMNS for event in ("insert", "update", "delete"))

_CREATE_SEARCH_INDEX = {
    "sqlite": [
        """CREATE VIRTUAL TABLE posts_search USING fts5(
         title, content, content='posts_post', content_rowid='id', prefix='2 3',
         tokenize='unicode61 remove_diacritics 2')""",
        "INSERT INTO posts_search (posts_search, rank) VALUES ('rank', 'bm25(10.0, 1.0)')",
        "INSERT INTO posts_search (posts_search) VALUES ('rebuild')",
    ],
    "postgresql": [
        "CREATE TABLE posts_search (rowid bigint PRIMARY KEY, posts_search tsvector NOT NULL)",
        "CREATE INDEX posts_search_text ON posts_search USING gin (posts_search)",
        "INSERT INTO posts_search SELECT id, posts_post_document(title, content) FROM posts_post",
    ],
}

_INSERT_TAGS = """INSERT INTO posts_posttag (name, post_id, published_at) SELECT DISTINCT value, {post}.id,
        CASE WHEN {post}.published AND {post}.trashed_at IS NULL THEN {post}.published_at END FROM {source}"""
_FILL_TAG_INDEX = {
    "sqlite": _INSERT_TAGS.format(post="posts_post", source="posts_post, json_each(tags)"),
    "postgresql": _INSERT_TAGS.format(post="posts_post", source="posts_post, jsonb_array_elements_text(tags)"),
}

_ADD_POST = {
    "sqlite": {
        "tags": _INSERT_TAGS.format(post="NEW", source="json_each(NEW.tags)"),
        "search": "INSERT INTO posts_search (rowid, title, content) VALUES (NEW.id, NEW.title, NEW.content)",
    },
    "postgresql": {
        "tags": _INSERT_TAGS.format(post="NEW", source="jsonb_array_elements_text(NEW.tags)"),
        "search": """INSERT INTO posts_search VALUES (NEW.id, posts_post_document(NEW.title, NEW.content))
            ON CONFLICT (rowid) DO UPDATE SET posts_search = EXCLUDED.posts_search""",
    },
}
_REMOVE_POST = {
    "sqlite": {
        "tags": "DELETE FROM posts_posttag WHERE post_id = OLD.id",
        # The FTS5 table stores no content: to delete an entry, the statement must repeat what was indexed.
        "search": """INSERT INTO posts_search (posts_search, rowid, title, content)
            VALUES ('delete', OLD.id, OLD.title, OLD.content)""",
    },
    "postgresql": {
        "tags": "DELETE FROM posts_posttag WHERE post_id = OLD.id",
        "search": "DELETE FROM posts_search WHERE rowid = OLD.id",
    },
}

# A tsvector has a maximum size. Of content that exceeds it, only the beginning is indexed.
_CREATE_DOCUMENT_FUNCTION = """CREATE OR REPLACE FUNCTION posts_post_document(title text, content text) RETURNS tsvector
       LANGUAGE plpgsql AS $$
       BEGIN
         RETURN setweight(to_tsvector('simple', unaccent(title)), 'A')
           || setweight(to_tsvector('simple', unaccent(content)), 'B');
       EXCEPTION WHEN program_limit_exceeded THEN
         RETURN setweight(to_tsvector('simple', unaccent(title)), 'A')
           || setweight(to_tsvector('simple', unaccent(left(content, 100000))), 'B');
       END $$"""

_CREATE_NOTIFY_FUNCTION = """CREATE OR REPLACE FUNCTION blogsite_notify() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         PERFORM pg_notify('blogsite_changed', '');
         RETURN NULL;
       END $$"""
_NOTIFYING_TABLES = ("posts_post", "accounts_user")
"""The tables from which public responses are made. Servers listen for changes of them (`PostgreSQLChangeDetector`)."""


def install(using: str = "default", **signal: Any) -> None:
    """Replace all triggers, and create the search index if it is missing. Receives Django's `post_migrate`."""
    connection = connections[using]
    tables = connection.introspection.table_names()
    if "posts_posttag" not in tables:
        return  # the first migration was reverted
    vendor = connection.vendor
    with connection.cursor() as cursor:
        if vendor == "postgresql":
            cursor.execute("CREATE EXTENSION IF NOT EXISTS unaccent")
            cursor.execute(_CREATE_DOCUMENT_FUNCTION)
        for name in _TRIGGER_NAMES:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}" + ("" if vendor == "sqlite" else " ON posts_post"))
        for statement in _create_triggers(vendor):
            cursor.execute(statement)
        for statement in [] if "posts_search" in tables else _CREATE_SEARCH_INDEX[vendor]:
            cursor.execute(statement)
        if vendor == "sqlite":
            return
        cursor.execute(_CREATE_NOTIFY_FUNCTION)
        for table in _NOTIFYING_TABLES:
            cursor.execute(
                f"CREATE OR REPLACE TRIGGER blogsite_notify AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION blogsite_notify()"
            )


def rebuild(using: str = "default") -> int:
    """Rebuild the tag index and the search index in one transaction. Returns the number of rows of the tag index."""
    connection = connections[using]
    with transaction.atomic(using), connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS posts_search")
        for statement in _CREATE_SEARCH_INDEX[connection.vendor]:
            cursor.execute(statement)
        cursor.execute("DELETE FROM posts_posttag")
        cursor.execute(_FILL_TAG_INDEX[connection.vendor])
        return int(cursor.rowcount)


def missing(using: str = "default") -> list[str]:
    """Return the names of the triggers that are not installed."""
    connection = connections[using]
    on_sqlite = connection.vendor == "sqlite"
    expected = _TRIGGER_NAMES if on_sqlite else (*_TRIGGER_NAMES, "blogsite_notify")
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger'" if on_sqlite else "SELECT tgname FROM pg_trigger"
    with connection.cursor() as cursor:
        cursor.execute(query)
        installed = {name for (name,) in cursor.fetchall()}
    return [name for name in expected if name not in installed]


def _create_triggers(vendor: str) -> Iterator[str]:
    """Yield the statements that create the triggers of both indexes on a database engine."""
    on_sqlite = vendor == "sqlite"
    for index, columns in _COLUMNS.items():
        add, remove = _ADD_POST[vendor][index], _REMOVE_POST[vendor][index]
        if not on_sqlite:
            yield f"""CREATE OR REPLACE FUNCTION posts_post_index_{index}() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF TG_OP <> 'INSERT' THEN {remove}; END IF;
         IF TG_OP <> 'DELETE' THEN {add}; RETURN NEW; END IF;
         RETURN OLD;
       END $$"""
        different = "IS NOT" if on_sqlite else "IS DISTINCT FROM"
        changed = " OR ".join(f"OLD.{column} {different} NEW.{column}" for column in columns)
        for name, event, condition, statements in (
            ("insert", "AFTER INSERT", "", f"{add};"),
            ("update", f"AFTER UPDATE OF {', '.join(columns)}", f"WHEN ({changed})", f"{remove}; {add};"),
            ("delete", "BEFORE DELETE", "", f"{remove};"),
        ):
            action = f"BEGIN {statements} END" if on_sqlite else f"EXECUTE FUNCTION posts_post_index_{index}()"
            yield f"CREATE TRIGGER posts_post_{index}_{name} {event} ON posts_post FOR EACH ROW {condition} {action}"
