"""A password file in libpq's format: one line ``host:port:database:user:password`` for each login."""

from __future__ import annotations

import re
from pathlib import Path

from kitchen.domain.connection import Credentials
from kitchen.domain.secret import Secret
from kitchen.domain.words import quoted
from kitchen.errors import InvalidInput

_FIELD = re.compile(r"((?:[^:\\]|\\.)*)(?::|$)")
_ESCAPED = re.compile(r"\\(.)")


def password_of(login: Credentials, file: Path) -> Secret | None:
    """Return the password that the first fitting line gives, or None; raises InvalidInput for a file open to others."""
    if not file.is_file():
        return None
    if file.stat().st_mode & 0o077:
        raise InvalidInput(f"the password file {file} is open to others", hint=f"chmod 600 {quoted(file)}")
    wanted = (
        login.host if not login.host.startswith("/") else "localhost",
        str(login.port),
        login.database,
        login.user,
    )
    for line in file.read_text().splitlines():
        if line.startswith("#"):
            continue
        fields = [_ESCAPED.sub(r"\1", field) for field in _FIELD.findall(line)]
        if len(fields) >= 5 and all(field in ("*", value) for field, value in zip(fields, wanted, strict=False)):
            return Secret(fields[4])
    return None
