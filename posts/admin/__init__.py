"""Posts and uploaded images in Django's admin site, one file for each model.

Every write calls a service, and every list starts at the visibility scope that the API uses.
"""

from posts.admin import posts  # noqa: F401 - registers the models
