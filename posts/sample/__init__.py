"""The sample data that `manage.py seed` stores: five users, a dozen posts, and any number of generated posts.

The package may import the services of both apps.
"""
