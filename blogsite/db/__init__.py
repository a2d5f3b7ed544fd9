"""Additions to Django's ORM: compiled queries, fast loading, constraint errors, change detection, migration lock.

The package knows neither HTTP nor any model of the apps: it may import `blogsite.errors` and Django.
"""
