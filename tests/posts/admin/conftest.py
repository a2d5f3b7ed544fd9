"""Users of the admin site, and browsers in which they are logged in."""

import pytest
from django.test import Client

from accounts.models import User
from tests.factories import make_author, make_editor


@pytest.fixture
def author(db: None) -> User:
    return make_author(username="ines")


@pytest.fixture
def editor(db: None) -> User:
    return make_editor()


@pytest.fixture
def authors_pages(client: Client, author: User) -> Client:
    client.force_login(author)
    return client


@pytest.fixture
def editors_pages(editor: User) -> Client:
    client = Client()
    client.force_login(editor)
    return client
