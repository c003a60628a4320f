"""What a cluster's configuration files say: everything that is not PostgreSQL's default, with its reason."""

from __future__ import annotations

from pathlib import Path

# SCRAM on the socket as well: whoever reaches it still has to know a password.
ACCESS = """\
# written by kitchen at every start
local  all  all                scram-sha-256
host   all  all  127.0.0.1/32  scram-sha-256
"""


def configuration(*, name: str, port: int, socket_folder: Path) -> str:
    """Return postgresql.conf."""
    lines = [f"{key} = {_quoted(value)}" for key, value in _values(name, port, socket_folder).items()]
    return "# written by kitchen at every start\n" + "\n".join(lines) + "\n"


def _values(name: str, port: int, socket_folder: Path) -> dict[str, str]:
    return {
        "cluster_name": f"kitchen {name}",
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(socket_folder),
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        # nothing is replicated from here, and tables that are made and filled in one transaction then skip the log
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_logical_replication_workers": "0",
        "fsync": "on",
        "client_connection_check_interval": "1000",  # a killed client keeps no lock while its statement runs on
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "logging_collector": "on",
        "log_directory": "log",
        "log_filename": "server-%a.log",  # a week, then each day writes over its own
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_line_prefix": "%m [%p] %u@%d %a ",
        # statements hold passwords and keys, details and contexts hold rows: none of them is logged
        "log_statement": "none",
        "log_checkpoints": "off",
        "log_min_duration_statement": "-1",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
