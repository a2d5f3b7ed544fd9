"""What the tests of accounts share."""

from collections.abc import Callable

import pytest
from django.core.mail import EmailMessage

from accounts import mails

Sent = Callable[[], list[EmailMessage]]


@pytest.fixture
def sent(mailoutbox: list[EmailMessage]) -> Sent:
    """Gives the mails that were sent since the test began, once none is waiting any more."""

    def delivered() -> list[EmailMessage]:
        mails._mail_executor.submit(lambda: None).result(timeout=10)
        return mailoutbox

    delivered().clear()
    return delivered
