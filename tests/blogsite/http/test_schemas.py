"""Output schemas are validated from model instances, and their values are what a client receives."""

from typing import Any

import orjson
import pytest
from asgiref.sync import async_to_sync

from accounts.schemas import AccountOut
from blogsite.http.pagination import Page
from blogsite.http.responses import render
from blogsite.http.schemas import Output
from posts import queries
from posts.schemas import AuthorOut, AuthorPage, PostOut, PostSummary, TagOut, TagPage
from tests.factories import make_author, make_draft, make_post, make_scheduled

pytestmark = pytest.mark.django_db


def sent_by(schema: type[Output], value: object) -> Any:
    """Return the JSON of `value`, which has every field of the schema, in order, and can be read back."""
    output = schema.model_validate(value)
    sent = orjson.loads(render(output))
    assert list(sent) == list(schema.model_fields)
    assert schema.model_validate_json(render(output)) == output
    return sent


@pytest.mark.parametrize("schema", [PostOut, PostSummary])
@pytest.mark.parametrize("make", [make_post, make_draft, make_scheduled])
def test_posts_in_every_state_match_their_schema(make: Any, schema: type[Output]) -> None:
    post = make(tags=["a"], content="Text.")
    sent = sent_by(schema, post)
    assert sent["author"] == {
        "id": post.author.pk,
        "username": post.author.username,
        "full_name": post.author.full_name,
    }
    assert (sent["excerpt"], sent["status"]) == ("Text.", post.status)


def test_accounts_authors_and_tags_match_their_schemas() -> None:
    author = make_author()
    make_post(author=author, tags=["a"])
    assert sent_by(AccountOut, author)["email"] == author.email
    found = async_to_sync(queries.author(author.username).aget)()
    tag = async_to_sync(queries.tag("a").aget)()
    assert sent_by(AuthorOut, found)["post_count"] == 1
    assert sent_by(TagOut, tag) == {"name": "a", "post_count": 1}
    assert sent_by(AuthorPage, Page([found], None))["items"] == [sent_by(AuthorOut, found)]
    assert sent_by(TagPage, Page([tag], "next")) == {"items": [{"name": "a", "post_count": 1}], "next": "next"}


def test_only_schemas_are_rendered_as_json() -> None:
    with pytest.raises(TypeError, match="not JSON serializable: User"):
        render({"user": make_author()})
