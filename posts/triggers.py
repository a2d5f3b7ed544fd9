"""The triggers by which the database keeps the index of tags (`PostTag`), the same on both engines, and on PostgreSQL
tells of changes.

They fire for whatever writes a post: a service, `bulk_create`, the `sqlite3` shell. Django remakes a table on SQLite
when a migration changes it, and drops its triggers without a word, so they are installed again after every migration.
"""

from typing import Any

from django.db import connections

_SQLITE = [
    """CREATE TRIGGER posts_post_tags_insert AFTER INSERT ON posts_post BEGIN
         INSERT INTO posts_posttag (name, post_id, published_at)
         SELECT DISTINCT value, NEW.id, CASE WHEN NEW.published THEN NEW.published_at END FROM json_each(NEW.tags);
       END""",
    """CREATE TRIGGER posts_post_tags_update AFTER UPDATE OF tags, published, published_at ON posts_post
       WHEN OLD.tags IS NOT NEW.tags OR OLD.published IS NOT NEW.published
         OR OLD.published_at IS NOT NEW.published_at
       BEGIN
         DELETE FROM posts_posttag WHERE post_id = NEW.id;
         INSERT INTO posts_posttag (name, post_id, published_at)
         SELECT DISTINCT value, NEW.id, CASE WHEN NEW.published THEN NEW.published_at END FROM json_each(NEW.tags);
       END""",
    """CREATE TRIGGER posts_post_tags_delete BEFORE DELETE ON posts_post BEGIN
         DELETE FROM posts_posttag WHERE post_id = OLD.id;
       END""",
]

_POSTGRESQL = [
    """CREATE OR REPLACE FUNCTION posts_post_index_tags() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF TG_OP <> 'INSERT' THEN
           DELETE FROM posts_posttag WHERE post_id = OLD.id;
         END IF;
         IF TG_OP <> 'DELETE' THEN
           INSERT INTO posts_posttag (name, post_id, published_at)
           SELECT DISTINCT tag, NEW.id, CASE WHEN NEW.published THEN NEW.published_at END
           FROM jsonb_array_elements_text(NEW.tags) AS tag;
           RETURN NEW;
         END IF;
         RETURN OLD;
       END $$""",
    """CREATE TRIGGER posts_post_tags_insert AFTER INSERT ON posts_post
       FOR EACH ROW EXECUTE FUNCTION posts_post_index_tags()""",
    """CREATE TRIGGER posts_post_tags_update AFTER UPDATE OF tags, published, published_at ON posts_post
       FOR EACH ROW WHEN (OLD.tags IS DISTINCT FROM NEW.tags OR OLD.published IS DISTINCT FROM NEW.published
         OR OLD.published_at IS DISTINCT FROM NEW.published_at)
       EXECUTE FUNCTION posts_post_index_tags()""",
    """CREATE TRIGGER posts_post_tags_delete BEFORE DELETE ON posts_post
       FOR EACH ROW EXECUTE FUNCTION posts_post_index_tags()""",
]

# A commit that may change a public answer tells the servers' response caches (`PostgreSQLClock`).
_NOTIFYING_TABLES = ("posts_post", "accounts_user")
_NOTIFY = """CREATE OR REPLACE FUNCTION blogsite_notify() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         PERFORM pg_notify('blogsite_changed', '');
         RETURN NULL;
       END $$"""

_NAMES = ("posts_post_tags_insert", "posts_post_tags_update", "posts_post_tags_delete")


def install(using: str = "default", **signal: Any) -> None:
    """Make all triggers anew. Receives Django's `post_migrate`; may run any number of times."""
    connection = connections[using]
    if "posts_posttag" not in connection.introspection.table_names():
        return  # migrated back to before the first migration
    on_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        for name in _NAMES:
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}" + ("" if on_sqlite else " ON posts_post"))
        for statement in _SQLITE if on_sqlite else _POSTGRESQL:
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
