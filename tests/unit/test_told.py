"""What may be printed and kept of a failure that is not ours."""

from __future__ import annotations

import pytest

from kitchen.errors import Conflict, told


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (Conflict("it moved"), "it moved"),
        (PermissionError(13, "Permission denied", "/kitchens/x"), "/kitchens/x: Permission denied"),
        (ConnectionError("postgresql://ann:secret@db"), "ConnectionError"),
        (OSError(28, "secret of a driver"), "OSError"),
        (ValueError("secret"), "ValueError"),
        (KeyboardInterrupt("signal 15"), "signal 15"),
    ],
)
def test_only_ours_and_the_names_of_files_are_told(cause: BaseException, words: str) -> None:
    assert told(cause) == words
