"""The ASGI layers that answer HTTP requests, one file each; `blogsite.asgi` puts them in order.

The package may import `blogsite.http`, `blogsite.db` and `blogsite.errors`, but nothing from the apps: `blogsite.asgi`
passes each layer what it needs from them.
"""
