"""Assembles the API, version 1: what clients may rely on is in `blogsite.contract` and in each router."""

from accounts import api as accounts
from blogsite.contract import BlogAPI
from posts import api as posts

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
api.add_router("/auth", accounts.auth)
api.add_router("/users", accounts.users)
