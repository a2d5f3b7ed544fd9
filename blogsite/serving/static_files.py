"""The static files of the admin site and of the API's documentation, straight from the installed packages."""

from pathlib import Path

from django.apps import apps
from django.conf import settings
from servestatic import ServeStaticASGI

from blogsite.serving.asgi import App

MAX_AGE = 3600


def static_files(app: App) -> ServeStaticASGI:
    """Serve `STATIC_URL` from every app's `static` folder, and leave all else to `app`.

    The files are listed once, at the start: no `collectstatic`, and no path of a request ever touches the disk.
    """
    layer = ServeStaticASGI(app, max_age=MAX_AGE)
    for config in reversed(list(apps.get_app_configs())):
        folder = Path(config.path) / "static"
        if folder.is_dir():
            layer.add_files(folder, prefix=settings.STATIC_URL)
    return layer
