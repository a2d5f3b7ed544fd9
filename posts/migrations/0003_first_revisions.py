from django.db import migrations


class Migration(migrations.Migration):
    """Every post that is there gets the revision of its present version."""

    dependencies = [("posts", "0002_revisions_and_trash")]

    operations = [
        migrations.RunSQL(
            """INSERT INTO posts_revision (post_id, version, title, slug, excerpt, content, tags, published,
                                           published_at, edited_by_id, created_at)
               SELECT id, version, title, slug, excerpt, content, tags, published, published_at, author_id, updated_at
               FROM posts_post""",
            migrations.RunSQL.noop,
        )
    ]
