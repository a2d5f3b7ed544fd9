"""Secrets that are generated on the first start and kept in the data folder."""

import os
import secrets
from pathlib import Path


def read_or_create_key(path: Path) -> str:
    """Return the key in the file `path`: 64 URL-safe characters (48 random bytes). Creates the file, with mode 0600.

    Workers that start at the same time return the same key: the file is linked into place when it is complete.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
