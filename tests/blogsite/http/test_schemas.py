"""Output schemas are filled from model instances with every field, and with values of the declared types."""

from typing import Any

import orjson
import pytest
from asgiref.sync import async_to_sync

from accounts.schemas import AccountOut
from blogsite.db import compiled_queries
from blogsite.db.compiled_queries import Param
from blogsite.http.pagination import Page
from blogsite.http.schemas import Output
from posts import queries
from posts.schemas import AuthorOut, AuthorPage, PostOut, PostSummary, TagOut, TagPage
from tests.factories import make_author, make_draft, make_post, make_scheduled

pytestmark = pytest.mark.django_db


def assert_valid(output: Output) -> dict[str, Any]:
    """Assert that the JSON has every field of the schema, in its order and with its type. Returns the JSON."""
    sent: dict[str, Any] = orjson.loads(orjson.dumps(output, default=vars))
    assert list(sent) == list(type(output).model_fields)
    type(output).model_validate(sent | ({"summary": sent["excerpt"]} if "excerpt" in sent else {}))
    return sent


@pytest.mark.parametrize("schema", [PostOut, PostSummary])
@pytest.mark.parametrize("make", [make_post, make_draft, make_scheduled])
def test_posts_in_every_state_match_their_schema(make: Any, schema: type[Output]) -> None:
    post = make(tags=["a"], content="Text.")
    sent = assert_valid(schema.of(post))
    assert sent["author"] == {
        "id": post.author.pk,
        "username": post.author.username,
        "full_name": post.author.full_name,
    }
    assert (sent["excerpt"], sent["status"]) == ("Text.", post.status)


def test_accounts_authors_and_tags_match_their_schemas() -> None:
    author = make_author()
    make_post(author=author, tags=["a"])
    assert_valid(AccountOut.of(author))
    found = async_to_sync(compiled_queries.one)(queries.author, Param(author.username))
    tag = async_to_sync(compiled_queries.one)(queries.tag, Param("a"))
    assert assert_valid(AuthorOut.of(found))["post_count"] == 1
    assert assert_valid(TagOut.of(tag)) == {"name": "a", "post_count": 1}
    assert assert_valid(AuthorPage.of(Page([found], None)))["items"] == [assert_valid(AuthorOut.of(found))]
    assert assert_valid(TagPage.of(Page([tag], "next"))) == {"items": [{"name": "a", "post_count": 1}], "next": "next"}
