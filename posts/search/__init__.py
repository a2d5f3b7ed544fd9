"""Full-text search on SQLite (FTS5) and PostgreSQL (`tsvector`), behind one scope of `PostQuerySet`.

The package imports nothing else from `posts`, because the models import it.
"""
