"""The layer that serves the static files of the admin site and of the API documentation from the installed packages."""

from pathlib import Path

from django.apps import apps
from django.conf import settings
from servestatic import ServeStaticASGI

from blogsite.serving.asgi import App

MAX_AGE_SECONDS = 3600


def static_files(app: App) -> ServeStaticASGI:
    """Return a layer that serves `STATIC_URL` from the `static` folder of every app, and passes all else to `app`.

    The files are listed once, at the start: `collectstatic` is not needed, and no requested path is looked up on disk.
    """
    layer = ServeStaticASGI(app, max_age=MAX_AGE_SECONDS)
    for config in reversed(list(apps.get_app_configs())):
        folder = Path(config.path) / "static"
        if folder.is_dir():
            layer.add_files(folder, prefix=settings.STATIC_URL)
    return layer
