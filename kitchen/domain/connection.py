"""How to reach a database, as a value: nothing is connected here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from kitchen.domain.secret import Secret


@dataclass(frozen=True, slots=True)
class Credentials:
    """One login on one database. ``role`` is taken on at the start of every session."""

    host: str
    port: int
    database: str
    user: str
    password: Secret
    role: str | None = None
    tls: str = "prefer"
    authorities: str | None = None  # file of the certificates that may vouch for the server, on this machine
    environment: str | None = field(default=None, compare=False)  # whose server it is, for what is advised
    is_embedded: bool = field(default=False, compare=False)

    def named(self, *, user: str, password: Secret, role: str | None = None) -> Credentials:
        """Return another login on the same database."""
        return replace(self, user=user, password=password, role=role)

    def to_secret(self) -> dict[str, str]:
        """Return what the secret store keeps."""
        return {
            "host": self.host, "port": str(self.port), "database": self.database, "user": self.user,
            "password": self.password.reveal(), "role": self.role or "", "tls": self.tls,
        }  # fmt: skip

    @classmethod
    def from_secret(cls, kept: dict[str, str]) -> Credentials:
        """Rebuild credentials from what ``to_secret`` gave."""
        return cls(
            host=kept["host"], port=int(kept["port"]), database=kept["database"], user=kept["user"],
            password=Secret(kept["password"]), role=kept["role"] or None, tls=kept.get("tls", "prefer"),
        )  # fmt: skip
