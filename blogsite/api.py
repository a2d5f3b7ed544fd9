"""Assembles version 1 of the API from the routers of the apps."""

from accounts.api import auth, passwords, sessions, tokens, users
from blogsite.http.ninja_api import BlogAPI
from posts.api import authors, media, posts, revisions, tags

api = BlogAPI(
    title="Blogsite",
    version="1",
    description="A headless blog: posts, tags, authors and accounts. Errors are RFC 9457 problems.",
    urls_namespace="api",
)
# Django tries the routes in this order: the most frequent requests come first.
api.add_router("/posts", posts.router)
api.add_router("/posts", revisions.router)
api.add_router("/tags", tags.router)
api.add_router("/authors", authors.router)
api.add_router("/media", media.router)
api.add_router("/auth", auth.router)
api.add_router("/auth/sessions", sessions.router)
api.add_router("/auth/password", passwords.router)
api.add_router("/auth/tokens", tokens.router)
api.add_router("/users", users.router)
