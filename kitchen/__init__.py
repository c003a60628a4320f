"""Workspaces for data teams: branch, schema over masked data, credentials, tests and promotion as one mechanism."""

__version__ = "0.1.0"
