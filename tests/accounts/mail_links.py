"""Reads the links in mails."""

import re

from django.core.mail import EmailMessage


def reset_link_in(mail: EmailMessage) -> dict[str, str]:
    found = re.search(r"uid=(\S+?)&token=(\S+)", str(mail.body))
    assert found
    return {"uid": found[1], "token": found[2]}
