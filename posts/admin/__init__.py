"""Posts and uploaded images in Django's admin site, one module for each model.

Every write calls a service. The lists and permissions use the scopes and the policy that the API uses. The package may
import everything in `posts` except the API.
"""

from posts.admin import media, posts  # noqa: F401 - registers the models
