"""Feeds and the sitemap of the public posts, for feed readers and search engines.

The package may import the queries, the models and the schemas of `posts`.
"""
