"""What to type where a server refuses a login or does not answer, by whose login it is."""

from __future__ import annotations

from kitchen.domain.connection import Credentials
from kitchen.domain.installation import provisioner_role
from kitchen.domain.people import person_role

_PERSON = "\0"


def of_person(environment: str, person: str) -> str:
    """Return what a person types whose login is refused, and an admin where that is in vain: it may be revoked."""
    return (
        f"type the password again: kitchen login -e {environment} --person {person}; where that is refused too, "
        f"an admin types: kitchen environment admit {person} -e {environment} --new-password"
    )


def refused(login: Credentials) -> str:
    """Return what to type where a login is refused."""
    if login.environment is None:
        return "kitchen doctor"
    begin, end = person_role(login.environment, _PERSON).split(_PERSON)
    if login.user.startswith(begin) and login.user.endswith(end):
        return of_person(login.environment, login.user[len(begin) : -len(end)])
    if login.user == provisioner_role(login.environment):
        return (
            f"kitchen secret set provisioner password=- -e {login.environment}, where you know it; else "
            f"an administrator of the server types: kitchen environment install {login.environment} --new-password"
        )
    return f"kitchen doctor {login.environment}"


def silent(login: Credentials) -> str:
    """Return what to do where no server answers."""
    if login.environment is None:
        return "kitchen up, where it is embedded; else ask whoever runs it"
    if login.is_embedded:
        return f"kitchen up {login.environment}"
    return (
        f"ask whoever runs the server on {login.host}, port {login.port}; "
        f"where it has moved: warehouse: in environments/{login.environment}.yaml"
    )
