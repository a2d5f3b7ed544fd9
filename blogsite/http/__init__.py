"""What the API promises about HTTP: the NinjaAPI subclass, problems, OpenAPI, base schemas, pages and throttling.

The package knows no resource: it may import `blogsite.db` and `blogsite.errors`, and nothing of the apps or of
`blogsite.serving`.
"""
