"""Functions on the content of posts: Markdown to safe HTML, excerpts, slugs, and the differences between revisions.

The modules of this package import nothing of `posts` but its models.
"""
