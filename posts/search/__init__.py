"""Full-text search on SQLite (FTS5) and PostgreSQL (`tsvector`), behind one scope of the posts.

The package may import nothing else of `posts`: the models use it.
"""
