"""Policies as Vault evaluates them: https://developer.hashicorp.com/vault/docs/concepts/policies.

The rule of highest priority decides alone: an exact path, else the pattern whose first ``+`` or ``*`` comes latest,
else the one without ``*`` at its end, else with fewer ``+``, else the longer, else the later in the alphabet. What
several policies say of that one path is added up, and ``deny`` beats all. What no rule is for is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

KNOWN = frozenset({"create", "read", "update", "patch", "delete", "list", "sudo", "deny"})
_RULE = re.compile(r'path\s+"([^"]*)"\s*\{([^}]*)\}')
_CAPABILITIES = re.compile(r"capabilities\s*=\s*\[([^\]]*)\]")
_TEMPLATE = re.compile(r"\{\{\s*([^}\s]+)\s*\}\}")


class Malformed(ValueError):
    """A policy that Vault would not take."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one policy says of one path."""

    path: str
    capabilities: frozenset[str]


def rules_of(hcl: str) -> tuple[Rule, ...]:
    """Return the rules of a policy's text; raises Malformed."""
    text = _TEMPLATE.sub(r"<\1>", hcl)
    left = _RULE.sub("", re.sub(r"#.*", "", text)).strip()
    if left:
        raise Malformed(f"failed to parse policy: {left[:60]}")
    found = []
    for path, body in _RULE.findall(re.sub(r"#.*", "", text)):
        told = _CAPABILITIES.fullmatch(body.strip())
        if told is None:
            raise Malformed(f"path {path!r}: capabilities are missing")
        capabilities = frozenset(re.findall(r'"([^"]*)"', told[1]))
        if capabilities - KNOWN:
            raise Malformed(f"path {path!r}: invalid capability {min(capabilities - KNOWN)!r}")
        found.append(Rule(path, capabilities))
    return tuple(found)


def filled(rules: Iterable[Rule], entity: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return rules with their templates filled in; one that asks for what the token's entity has not is left out."""
    found = []
    for rule in rules:
        names = re.findall(r"<([^>]+)>", rule.path)
        if all(name in entity for name in names):
            path = re.sub(r"<([^>]+)>", lambda part: entity[part[1]], rule.path)
            found.append(Rule(path, rule.capabilities))
    return tuple(found)


def allows(rules: Iterable[Rule], operation: str, path: str) -> bool:
    """Say whether rules let a token do something; a list is asked about its folder with and without the slash."""
    known = list(rules)
    if operation == "list":
        folder = path.rstrip("/")
        for exact, asked in ((True, folder + "/"), (True, folder), (False, folder), (False, folder + "/")):
            if (found := _of(known, asked, exact=exact)) is not None:
                return _gives(found, operation)
        return False
    found = _of(known, path, exact=True) or _of(known, path, exact=False)
    return found is not None and _gives(found, operation)


def _gives(capabilities: frozenset[str], operation: str) -> bool:
    return operation in capabilities and "deny" not in capabilities


def _of(rules: list[Rule], path: str, *, exact: bool) -> frozenset[str] | None:
    """Return what all rules for the best of the patterns say together; None where none fits."""
    patterns = [rule for rule in rules if _is_pattern(rule.path)]
    fit = [rule for rule in rules if rule.path == path] if exact else [r for r in patterns if _fits(r.path, path)]
    if not fit:
        return None
    best = max(fit, key=lambda rule: _priority(rule.path)).path
    return frozenset().union(*(rule.capabilities for rule in fit if rule.path == best))


def _is_pattern(pattern: str) -> bool:
    return pattern.endswith("*") or "+" in pattern.split("/")


def _fits(pattern: str, path: str) -> bool:
    whole = not pattern.endswith("*")
    parts = [("[^/]+" if part == "+" else re.escape(part)) for part in pattern.removesuffix("*").split("/")]
    expression = "/".join(parts)
    return re.fullmatch(expression if whole else expression + ".*", path, re.DOTALL) is not None


def _priority(pattern: str) -> tuple[int, bool, int, int, str]:
    segments = pattern.split("/")
    wild = re.search(r"(?:(?<=/)|^)\+(?=/|$|\*)|\*$", pattern)
    first = wild.start() if wild else len(pattern)
    return (first, not pattern.endswith("*"), -segments.count("+"), len(pattern), pattern)
