from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PostsConfig(AppConfig):
    name = "posts"

    def ready(self) -> None:
        from posts import checks, triggers  # noqa: F401 - registers the checks
        from posts.content import rebuilding

        post_migrate.connect(triggers.install, sender=self)
        post_migrate.connect(rebuilding.record_version_if_empty, sender=self)
