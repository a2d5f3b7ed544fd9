"""The parts of the API that all resources share: NinjaAPI subclass, problems, OpenAPI, schemas, pages, throttling.

The package knows no resource: it may import `blogsite.db` and `blogsite.errors`, and nothing of the apps or of
`blogsite.serving`.
"""
