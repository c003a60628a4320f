"""Keys to one kitchen's files, which end by themselves: what they open, and how a tool finds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from kitchen.domain.bucket_policy import prefix_of
from kitchen.domain.environment import Environment
from kitchen.domain.secret import Secret


@dataclass(frozen=True, slots=True)
class LentKeys:
    """Keys of an object store until a moment."""

    access_key: str
    secret_key: Secret
    token: Secret
    until: datetime

    def variables(self, environment: Environment) -> dict[str, str]:
        """Return the variables in which every AWS SDK and tool looks for keys and server."""
        settings = environment.storage.settings
        region = str(settings.get("region") or "us-east-1")
        found = {
            "AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key.reveal(),
            "AWS_SESSION_TOKEN": self.token.reveal(), "AWS_REGION": region, "AWS_DEFAULT_REGION": region,
        }  # fmt: skip
        told = {"AWS_ENDPOINT_URL_S3": settings.get("endpoint"), "AWS_CA_BUNDLE": settings.get("ca")}
        return {**found, **{name: str(value) for name, value in told.items() if value is not None}}


def lender_of(environment: Environment) -> str | None:
    """Return the role (ARN) whose rights are lent, or None where an environment lends none."""
    told = environment.storage.settings.get("role")
    return None if told is None else str(told)


def own_files_policy(environment: Environment, folder: str) -> str:
    """Return what lent keys are limited to: one folder of the environment's, whatever else the role may."""
    bucket = f"arn:aws:s3:::{environment.storage.settings['bucket']}"
    below = f"{prefix_of(environment)}{folder}*"
    files = [
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ]
    statements: list[Mapping[str, object]] = [
        {"Effect": "Allow", "Action": files, "Resource": f"{bucket}/{below}"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket,
         "Condition": {"StringLike": {"s3:prefix": below}}},
    ]  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
