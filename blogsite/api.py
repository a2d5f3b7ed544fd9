"""Assembles the API, version 1: what clients may rely on is in `blogsite.http.ninja_api` and in each router."""

from accounts.api import auth, passwords, sessions, tokens, users
from blogsite.http.ninja_api import BlogAPI
from posts.api import posts

api = BlogAPI(
    title="Blogsite",
    version="1",
    description="A headless blog: posts, tags, authors and accounts. Errors are RFC 9457 problems.",
    urls_namespace="api",
)
# What is asked most stands first: routes are tried in this order.
api.add_router("/posts", posts.posts)
api.add_router("/tags", posts.tags)
api.add_router("/authors", posts.authors)
api.add_router("/media", posts.media)
api.add_router("/auth", auth.router)
api.add_router("/auth/sessions", sessions.router)
api.add_router("/auth/password", passwords.router)
api.add_router("/auth/tokens", tokens.router)
api.add_router("/users", users.router)
