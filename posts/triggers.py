"""The triggers by which the database keeps the indexes of tags (`PostTag`) and of texts (`SearchEntry`), the same on
both engines, and on PostgreSQL tells of changes.

They fire for whatever writes a post: a service, `bulk_create`, the `sqlite3` shell. Django remakes a table on SQLite
when a migration changes it, and drops its triggers without a word, so they are installed again after every migration.
"""

from typing import Any

from django.db import connections, transaction

_INDEX_ALL = {
    "sqlite": """INSERT INTO posts_posttag (name, post_id, published_at)
        SELECT DISTINCT value, posts_post.id, CASE WHEN published AND trashed_at IS NULL THEN published_at END
        FROM posts_post, json_each(posts_post.tags)""",
    "postgresql": """INSERT INTO posts_posttag (name, post_id, published_at)
        SELECT DISTINCT tag, posts_post.id, CASE WHEN published AND trashed_at IS NULL THEN published_at END
        FROM posts_post, jsonb_array_elements_text(posts_post.tags) AS tag""",
}

_SQLITE = [
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
]

_SQLITE_SEARCH = [
    """CREATE VIRTUAL TABLE posts_search USING fts5(
         title, content, content='posts_post', content_rowid='id', prefix='2 3',
         tokenize='unicode61 remove_diacritics 2')""",
    "INSERT INTO posts_search (posts_search, rank) VALUES ('rank', 'bm25(10.0, 1.0)')",
    "INSERT INTO posts_search (posts_search) VALUES ('rebuild')",
]

# FTS5 keeps no texts: to take an entry out, it must be told what was in it.
_SQLITE += [
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
]

_POSTGRESQL_SEARCH = [
    "CREATE TABLE posts_search (rowid bigint PRIMARY KEY, posts_search tsvector NOT NULL)",
    "CREATE INDEX posts_search_text ON posts_search USING gin (posts_search)",
    """INSERT INTO posts_search SELECT id, posts_post_document(title, content) FROM posts_post""",
]

_POSTGRESQL = [
    # A tsvector has a size, which a long text of ever new words passes: then its beginning is what is found.
    """CREATE OR REPLACE FUNCTION posts_post_document(title text, content text) RETURNS tsvector LANGUAGE plpgsql AS $$
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
]

# A commit that may change a public answer tells the servers' response caches (`PostgreSQLChangeDetector`).
_NOTIFYING_TABLES = ("posts_post", "accounts_user")
_NOTIFY = """CREATE OR REPLACE FUNCTION blogsite_notify() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         PERFORM pg_notify('blogsite_changed', '');
         RETURN NULL;
       END $$"""

_NAMES = tuple(
    f"posts_post_{index}_{event}" for index in ("tags", "search") for event in ("insert", "update", "delete")
)


def install(using: str = "default", **signal: Any) -> None:
    """Make all triggers anew. Receives Django's `post_migrate`; may run any number of times."""
    connection = connections[using]
    if "posts_posttag" not in connection.introspection.table_names():
        return  # migrated back to before the first migration
    on_sqlite = connection.vendor == "sqlite"
    has_search = "posts_search" in connection.introspection.table_names()
    with connection.cursor() as cursor:
        if not on_sqlite:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS unaccent")
        for name in _NAMES:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}" + ("" if on_sqlite else " ON posts_post"))
        for statement in _SQLITE if on_sqlite else _POSTGRESQL:
            cursor.execute(statement)
        for statement in [] if has_search else _SQLITE_SEARCH if on_sqlite else _POSTGRESQL_SEARCH:
            cursor.execute(statement)
        if on_sqlite:
            return
        cursor.execute(_NOTIFY)
        for table in _NOTIFYING_TABLES:
            cursor.execute(f"DROP TRIGGER IF EXISTS blogsite_notify ON {table}")
            cursor.execute(
                f"CREATE TRIGGER blogsite_notify AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION blogsite_notify()"
            )


def rebuild(using: str = "default") -> int:
    """Make the indexes of tags and of texts anew, in one transaction. Returns how many rows the first has."""
    connection = connections[using]
    with transaction.atomic(using), connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS posts_search")
        for statement in _SQLITE_SEARCH if connection.vendor == "sqlite" else _POSTGRESQL_SEARCH:
            cursor.execute(statement)
        cursor.execute("DELETE FROM posts_posttag")
        cursor.execute(_INDEX_ALL[connection.vendor])
        return int(cursor.rowcount)


def missing(using: str = "default") -> list[str]:
    """The names of triggers that should be in the database and are not."""
    connection = connections[using]
    on_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'" if on_sqlite else "SELECT tgname FROM pg_trigger"
        )
        there = {name for (name,) in cursor.fetchall()}
    return [name for name in (*_NAMES, *(() if on_sqlite else ("blogsite_notify",))) if name not in there]
