"""A real S3 server for tests: SeaweedFS from its wheel; two identities may use one bucket each, one all, one none.

Its 4.48 evaluates bucket policies (also Deny, NotResource and conditions) and, asked to, gives keys for a while (STS).
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_bytes, token_hex

BUCKETS = ("kitchens-dev", "kitchens-production")
ROLE = "arn:aws:iam::role/kitchens"
SIGNING_KEY = b64encode(token_bytes(32)).decode()
ACCOUNT = "arn:aws:iam::000000000000:user"


def weed() -> Path | None:
    """Return the server's program, from the wheel beside this Python or from the path."""
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    return Path(found) if found else None


@dataclass
class SeaweedFS:
    """One server on loopback; ``keys`` holds access key and secret key of each bucket's own identity."""

    program: Path
    folder: Path
    keys: dict[str, tuple[str, str]] = field(
        default_factory=lambda: {bucket: (token_hex(10), token_hex(20)) for bucket in BUCKETS}
    )
    admin: tuple[str, str] = field(default_factory=lambda: (token_hex(10), token_hex(20)))
    nobody: tuple[str, str] = field(default_factory=lambda: (token_hex(10), token_hex(20)))
    anywhere: tuple[str, str] = field(default_factory=lambda: (token_hex(10), token_hex(20)))
    certificate: tuple[Path, Path] | None = None  # with its key: the server speaks TLS too, on a port of its own
    tells: bool = False  # who somebody is, and keys for a while to whoever may have them

    def __enter__(self) -> SeaweedFS:
        identities = [_identity("admin", self.admin, ["Admin"]), _identity("nobody", self.nobody, [])]
        identities.append(_identity("anywhere", self.anywhere, ["Read", "Write", "List"]))
        for bucket, keys in self.keys.items():
            identities.append(_identity(bucket, keys, [f"{action}:{bucket}" for action in ("Read", "Write", "List")]))
        config = self.folder / "s3.json"
        config.write_text(json.dumps({"identities": identities}))
        services = ("master", "volume", "filer", "s3")
        ports = dict(zip([*services, *(f"{name}.grpc" for name in services)], _free_ports(8), strict=True))
        self.port = ports["s3"]
        arguments = [f"-{name}.port={ports[name]}" for name in services]
        arguments += [f"-{name}.port.grpc={ports[f'{name}.grpc']}" for name in services]
        self._log = (self.folder / "weed.log").open("wb")
        self._process = subprocess.Popen(
            [
                self.program, "server", f"-dir={self.folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3",
                f"-s3.config={config}", "-volume.max=400", "-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0",
                "-s3.port.lance=0", *arguments, *self._tells(), *self._speaks_tls(),
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            self._make_buckets()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # what it keeps is thrown away; stopping gently takes ten seconds
        self._process.wait()
        self._log.close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def encrypted(self) -> str:
        """Return the address where TLS is spoken."""
        return f"https://127.0.0.1:{self._tls_port}"

    def _speaks_tls(self) -> list[str]:
        if self.certificate is None:
            return []
        self._tls_port = _free_ports(1)[0]
        certificate, key = self.certificate
        return [f"-s3.cert.file={certificate}", f"-s3.key.file={key}", f"-s3.port.https={self._tls_port}"]

    def _tells(self) -> list[str]:
        if not self.tells:
            return []
        file = self.folder / "iam.json"
        allow = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole"]}
        file.write_text(json.dumps({
            "sts": {"tokenDuration": "1h", "maxSessionLength": "12h", "issuer": "tests", "signingKey": SIGNING_KEY},
            "policy": {"defaultEffect": "Deny", "storeType": "memory"},
            "policies": [{"name": "files", "document": {"Version": "2012-10-17", "Statement": [allow]}}],
            "roles": [{"roleName": "kitchens", "roleArn": ROLE, "attachedPolicies": ["files"],
                       "trustPolicy": {"Version": "2012-10-17", "Statement": [trust]}}],
        }))  # fmt: skip
        return [f"-s3.iam.config={file}"]

    def _make_buckets(self) -> None:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.admin[0],
            aws_secret_access_key=self.admin[1],
            config=Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1}),
        )
        deadline = time.monotonic() + 60
        for bucket in self.keys:
            while True:
                try:
                    client.create_bucket(Bucket=bucket)
                    client.put_object(Bucket=bucket, Key="ready", Body=b"")  # a volume can be written
                    client.delete_object(Bucket=bucket, Key="ready")
                    break
                except client.exceptions.BucketAlreadyExists:
                    client.delete_bucket(Bucket=bucket)
                except (BotoCoreError, ClientError):
                    if time.monotonic() > deadline or self._process.poll() is not None:
                        raise RuntimeError((self.folder / "weed.log").read_text()[-3000:]) from None
                    time.sleep(0.2)


def _identity(name: str, keys: tuple[str, str], actions: list[str]) -> dict[str, object]:
    return {"name": name, "credentials": [{"accessKey": keys[0], "secretKey": keys[1]}], "actions": actions}


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
