from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PostsConfig(AppConfig):
    name = "posts"

    def ready(self) -> None:
        from posts import checks, triggers  # noqa: F401 - registers the checks

        post_migrate.connect(triggers.install, sender=self)
