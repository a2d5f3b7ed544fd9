"""What is made from the text of a post: safe HTML, excerpts, slugs, and the differences between revisions.

The package may import the models, and nothing else of `posts`.
"""
