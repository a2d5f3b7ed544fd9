"""The way of a request: the ASGI layers, from the outermost to Django."""

import os

from django.core.asgi import get_asgi_application

from blogsite.serving import App

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "blogsite.settings")
django = get_asgi_application()

from django.conf import settings  # noqa: E402 - the settings and the layers need Django to be set up

from blogsite.serving.body_limit import BodyLimit  # noqa: E402
from blogsite.serving.request_id import RequestId  # noqa: E402
from blogsite.serving.static_files import static_files  # noqa: E402

application: App = static_files(django)
application = BodyLimit(application, max_bytes=settings.MAX_BODY_BYTES, timeout=settings.BODY_TIMEOUT)
application = RequestId(application)
