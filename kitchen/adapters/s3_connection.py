"""How a bucket is reached: its server, whose keys, and the server's refusals in this program's words.

Keys come from whoever asks and from nowhere else: boto3's habit of looking through variables, files and the machine's
own identity would let another account do a kitchen's work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kitchen.domain.secret import Secret
from kitchen.errors import Conflict, InvalidInput, KitchenError, NotFound, NotPermitted, Unavailable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_DENIED = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "AllAccessDisabled"}
_ABSENT = {"NoSuchKey", "404", "NotFound", "NoSuchBucketPolicy"}
_TAKEN = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
_UNKNOWN = {"NotImplemented", "MethodNotAllowed", "XNotImplemented", "501", "405"}


@dataclass(frozen=True, slots=True)
class S3Keys:
    """Whose work it is; ``token`` belongs to keys that end by themselves."""

    access_key: str
    secret_key: Secret
    token: Secret | None = None

    @classmethod
    def of_administrator(cls, environ: Mapping[str, str]) -> S3Keys:
        """Return the keys in KITCHEN_S3_…; raises NotPermitted with the variable that is missing."""
        missing = [name for name in ("KITCHEN_S3_ACCESS_KEY", "KITCHEN_S3_SECRET_KEY") if not environ.get(name)]
        if missing:
            raise NotPermitted(
                f"the object store asks for its administrator's keys, and {' and '.join(missing)} is not set",
                hint=f"export {missing[0]}=…",
            )
        token = environ.get("KITCHEN_S3_SESSION_TOKEN")
        return cls(
            environ["KITCHEN_S3_ACCESS_KEY"], Secret(environ["KITCHEN_S3_SECRET_KEY"]), Secret(token) if token else None
        )


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket and its server; without an endpoint, Amazon's."""

    bucket: str
    endpoint: str | None = None
    region: str = "us-east-1"
    ca: str | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> S3Place:
        """Return the place that an environment file describes."""

        def told(name: str) -> str | None:
            value = settings.get(name)
            return None if value is None else str(value)

        return cls(str(settings["bucket"]), told("endpoint"), told("region") or "us-east-1", told("ca"))

    def client(self, keys: S3Keys, service: str = "s3", *, attempts: int = 3) -> Any:
        """Return boto3's client of one service of that server."""
        import boto3  # noqa: PLC0415 - 300 ms, paid when the first object is asked for
        from botocore.config import Config  # noqa: PLC0415

        make: Any = boto3.session.Session().client
        return make(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key.reveal(),
            aws_session_token=keys.token.reveal() if keys.token is not None else None,
            verify=self.ca or True,
            config=Config(
                connect_timeout=5,
                read_timeout=30,
                retries={"total_max_attempts": attempts, "mode": "standard"},
                s3={"addressing_style": "path" if self.endpoint else "auto"},
                # servers that speak S3's protocol do not all know its newer checksums
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    @contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Turn what the server or the network says into this package's errors."""
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError  # noqa: PLC0415

        where = f"{what} in the bucket {self.bucket!r}"
        try:
            yield
        except ClientError as wrong:
            raise _from_answer(where, wrong) from None
        except HTTPClientError as wrong:
            raise Unavailable(f"{where}: the object store does not answer ({type(wrong).__name__})") from None
        except BotoCoreError as wrong:
            raise Unavailable(f"{where}: the object store cannot be used ({type(wrong).__name__})") from None


class Unsupported(Unavailable):
    """The server does not know what was asked of it: it speaks less of the protocol."""


def _from_answer(where: str, wrong: ClientError) -> KitchenError:
    code = str(wrong.response.get("Error", {}).get("Code", ""))
    status = int(wrong.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _TAKEN:
        return Conflict(f"{where}: it exists")
    if code in _ABSENT:
        return NotFound(f"{where}: it is not there")
    if code == "NoSuchBucket":
        return NotFound(f"{where}: there is no such bucket")
    if code in _DENIED or status == 403:
        return NotPermitted(f"{where}: the object store refuses these keys ({code})")
    if code in _UNKNOWN or status in (405, 501):
        return Unsupported(f"{where}: the object store has no such thing ({code})")
    if status >= 500 or code in ("SlowDown", "RequestTimeout"):
        return Unavailable(f"{where}: the object store failed ({code})")
    return InvalidInput(f"{where}: the object store refuses ({code})")
