"""Database triggers that update the tag index (`PostTag`) and the search index (`SearchEntry`) of the posts.

They run for every write of a post: by a service, by `bulk_create`, or by SQL in a shell. On PostgreSQL, more triggers
notify all servers of changes. All are installed after every migration, because Django's way to alter a table on SQLite
silently drops its triggers.
"""

from typing import Any

from django.db import connections, transaction

_FILL_TAG_INDEX = {
    "sqlite": """INSERT INTO posts_posttag (name, post_id, published_at)
        SELECT DISTINCT value, posts_post.id, CASE WHEN published AND trashed_at IS NULL THEN published_at END
        FROM posts_post, json_each(posts_post.tags)""",
    "postgresql": """INSERT INTO posts_posttag (name, post_id, published_at)
        SELECT DISTINCT tag, posts_post.id, CASE WHEN published AND trashed_at IS NULL THEN published_at END
        FROM posts_post, jsonb_array_elements_text(posts_post.tags) AS tag""",
}

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
        """INSERT INTO posts_search SELECT id, posts_post_document(title, content) FROM posts_post""",
    ],
}

_CREATE_TRIGGERS = {
    "sqlite": [
        """CREATE TRIGGER posts_post_tags_insert AFTER INSERT ON posts_post BEGIN
         INSERT INTO posts_posttag (name, post_id, published_at)
         SELECT DISTINCT value, NEW.id, CASE WHEN NEW.published AND NEW.trashed_at IS NULL THEN NEW.published_at END
         FROM json_each(NEW.tags);
       END""",
        """CREATE TRIGGER posts_post_tags_update AFTER UPDATE OF tags, published, published_at, trashed_at ON posts_post
       WHEN OLD.tags IS NOT NEW.tags OR OLD.published IS NOT NEW.published
         OR OLD.published_at IS NOT NEW.published_at OR OLD.trashed_at IS NOT NEW.trashed_at
       BEGIN
         DELETE FROM posts_posttag WHERE post_id = NEW.id;
         INSERT INTO posts_posttag (name, post_id, published_at)
         SELECT DISTINCT value, NEW.id, CASE WHEN NEW.published AND NEW.trashed_at IS NULL THEN NEW.published_at END
         FROM json_each(NEW.tags);
       END""",
        """CREATE TRIGGER posts_post_tags_delete BEFORE DELETE ON posts_post BEGIN
         DELETE FROM posts_posttag WHERE post_id = OLD.id;
       END""",
        # The FTS5 table stores no content: to delete an entry, the statement must repeat what was indexed.
        """CREATE TRIGGER posts_post_search_insert AFTER INSERT ON posts_post BEGIN
         INSERT INTO posts_search (rowid, title, content) VALUES (NEW.id, NEW.title, NEW.content);
       END""",
        """CREATE TRIGGER posts_post_search_update AFTER UPDATE OF title, content ON posts_post
       WHEN OLD.title IS NOT NEW.title OR OLD.content IS NOT NEW.content
       BEGIN
         INSERT INTO posts_search (posts_search, rowid, title, content)
         VALUES ('delete', OLD.id, OLD.title, OLD.content);
         INSERT INTO posts_search (rowid, title, content) VALUES (NEW.id, NEW.title, NEW.content);
       END""",
        """CREATE TRIGGER posts_post_search_delete BEFORE DELETE ON posts_post BEGIN
         INSERT INTO posts_search (posts_search, rowid, title, content)
         VALUES ('delete', OLD.id, OLD.title, OLD.content);
       END""",
    ],
    "postgresql": [
        # A tsvector has a maximum size. Of content that exceeds it, only the beginning is indexed.
        """CREATE OR REPLACE FUNCTION posts_post_document(title text, content text) RETURNS tsvector
       LANGUAGE plpgsql AS $$
       BEGIN
         RETURN setweight(to_tsvector('simple', unaccent(title)), 'A')
           || setweight(to_tsvector('simple', unaccent(content)), 'B');
       EXCEPTION WHEN program_limit_exceeded THEN
         RETURN setweight(to_tsvector('simple', unaccent(title)), 'A')
           || setweight(to_tsvector('simple', unaccent(left(content, 100000))), 'B');
       END $$""",
        """CREATE OR REPLACE FUNCTION posts_post_index_text() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF TG_OP = 'DELETE' THEN
           DELETE FROM posts_search WHERE rowid = OLD.id;
           RETURN OLD;
         END IF;
         INSERT INTO posts_search VALUES (NEW.id, posts_post_document(NEW.title, NEW.content))
         ON CONFLICT (rowid) DO UPDATE SET posts_search = EXCLUDED.posts_search;
         RETURN NEW;
       END $$""",
        """CREATE TRIGGER posts_post_search_insert AFTER INSERT ON posts_post
       FOR EACH ROW EXECUTE FUNCTION posts_post_index_text()""",
        """CREATE TRIGGER posts_post_search_update AFTER UPDATE OF title, content ON posts_post
       FOR EACH ROW WHEN (OLD.title IS DISTINCT FROM NEW.title OR OLD.content IS DISTINCT FROM NEW.content)
       EXECUTE FUNCTION posts_post_index_text()""",
        """CREATE TRIGGER posts_post_search_delete BEFORE DELETE ON posts_post
       FOR EACH ROW EXECUTE FUNCTION posts_post_index_text()""",
        """CREATE OR REPLACE FUNCTION posts_post_index_tags() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF TG_OP <> 'INSERT' THEN
           DELETE FROM posts_posttag WHERE post_id = OLD.id;
         END IF;
         IF TG_OP <> 'DELETE' THEN
           INSERT INTO posts_posttag (name, post_id, published_at)
           SELECT DISTINCT tag, NEW.id, CASE WHEN NEW.published AND NEW.trashed_at IS NULL THEN NEW.published_at END
           FROM jsonb_array_elements_text(NEW.tags) AS tag;
           RETURN NEW;
         END IF;
         RETURN OLD;
       END $$""",
        """CREATE TRIGGER posts_post_tags_insert AFTER INSERT ON posts_post
       FOR EACH ROW EXECUTE FUNCTION posts_post_index_tags()""",
        """CREATE TRIGGER posts_post_tags_update AFTER UPDATE OF tags, published, published_at, trashed_at ON posts_post
       FOR EACH ROW WHEN (OLD.tags IS DISTINCT FROM NEW.tags OR OLD.published IS DISTINCT FROM NEW.published
         OR OLD.published_at IS DISTINCT FROM NEW.published_at OR OLD.trashed_at IS DISTINCT FROM NEW.trashed_at)
       EXECUTE FUNCTION posts_post_index_tags()""",
        """CREATE TRIGGER posts_post_tags_delete BEFORE DELETE ON posts_post
       FOR EACH ROW EXECUTE FUNCTION posts_post_index_tags()""",
    ],
}

_CREATE_NOTIFY_FUNCTION = """CREATE OR REPLACE FUNCTION blogsite_notify() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         PERFORM pg_notify('blogsite_changed', '');
         RETURN NULL;
       END $$"""
_NOTIFYING_TABLES = ("posts_post", "accounts_user")
"""The tables from which public responses are made. Servers listen for changes of them (`PostgreSQLChangeDetector`)."""

_TRIGGER_NAMES = tuple(
    f"posts_post_{index}_{event}" for index in ("tags", "search") for event in ("insert", "update", "delete")
)


def install(using: str = "default", **signal: Any) -> None:
    """Install all triggers, replacing existing ones, and create the search index if it is missing.

    This is a receiver of Django's `post_migrate`.
    """
    connection = connections[using]
    tables = connection.introspection.table_names()
    if "posts_posttag" not in tables:
        return  # the first migration was reverted
    on_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        if not on_sqlite:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS unaccent")
        for name in _TRIGGER_NAMES:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}" + ("" if on_sqlite else " ON posts_post"))
        for statement in _CREATE_TRIGGERS[connection.vendor]:
            cursor.execute(statement)
        for statement in [] if "posts_search" in tables else _CREATE_SEARCH_INDEX[connection.vendor]:
            cursor.execute(statement)
        if on_sqlite:
            return
        cursor.execute(_CREATE_NOTIFY_FUNCTION)
        for table in _NOTIFYING_TABLES:
            cursor.execute(f"DROP TRIGGER IF EXISTS blogsite_notify ON {table}")
            cursor.execute(
                f"CREATE TRIGGER blogsite_notify AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
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
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'" if on_sqlite else "SELECT tgname FROM pg_trigger"
        )
        installed = {name for (name,) in cursor.fetchall()}
    return [name for name in expected if name not in installed]
