"""Versions against specifiers."""

from __future__ import annotations

import pytest

from kitchen.domain.versions import satisfies
from kitchen.errors import InvalidInput


@pytest.mark.parametrize(
    ("version", "specifier"),
    [
        ("3.11.7", ">=3.11"),
        ("3.11", ">=3.11.0"),
        ("18.6", ">=15"),
        ("18.6", ">=15, <19"),
        ("15.18 (Debian 15.18-0+deb12u1)", "==15.*"),
        ("18.6", "!=18.5"),
        ("18.6", "!=17.*"),
        ("3.10", "<=3.10"),
        ("3.9.18", "<3.10"),
        ("18beta1", ">=18"),
    ],
)
def test_met(version: str, specifier: str) -> None:
    assert satisfies(version, specifier)


@pytest.mark.parametrize(
    ("version", "specifier"),
    [
        ("3.10.14", ">=3.11"),
        ("3.9", ">=3.10"),  # as numbers, not as text
        ("15.3", ">=16"),
        ("19.0", ">=15,<19"),
        ("150.1", "==15.*"),
        ("18.6", "==18"),
        ("18.6", "!=18.*"),
        ("18.6", ">18.6"),
    ],
)
def test_not_met(version: str, specifier: str) -> None:
    assert not satisfies(version, specifier)


@pytest.mark.parametrize("specifier", ["", "3.11", "~=3.11", ">=", ">=x", ">=15.*", ">=15,", "=>15", ">=15;<19"])
def test_unreadable_is_said(specifier: str) -> None:
    with pytest.raises(InvalidInput):
        satisfies("18.6", specifier)
