"""A process that writes posts through the ORM, as another script could. It executes one command per line of its input:

title TEXT                   changes the title of the post `subject`
publish, unpublish, delete   does this to the post
create TEXT                  creates the post, published, with this title
"""

import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "blogsite.settings"
django.setup()

from django.utils import timezone  # noqa: E402

from accounts.models import User  # noqa: E402
from posts.models import Post  # noqa: E402

for line in sys.stdin:
    command, _, text = line.rstrip("\n").partition(" ")
    subject = Post.objects.filter(slug="subject")
    match command:
        case "title":
            subject.update(title=text)
        case "publish" | "unpublish":
            subject.update(published=command == "publish")
        case "delete":
            subject.delete()
        case "create":
            Post.objects.create(
                slug="subject",
                title=text,
                author=User.objects.get(username="author"),
                tags=["subject"],
                published=True,
                published_at=timezone.now(),
                content_html="",
                reading_minutes=1,
            )
    sys.stdout.write("done\n")
    sys.stdout.flush()
