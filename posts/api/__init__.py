"""The API's operations on posts, revisions, media, tags and authors, one file for each resource.

Endpoints translate between HTTP and the rest of the app: they may import everything in `posts` but the admin site, and
of `accounts` the authentication, the schemas and the idempotency keys.
"""
