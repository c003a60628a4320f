"""The tests' own reading of Vault's policies, on the examples of its documentation."""

from __future__ import annotations

import pytest

from tests.contracts.vault_acl import Malformed, allows, filled, rules_of


def policy(**paths: str) -> str:
    return "\n".join(f'path "{path}" {{\n  capabilities = ["{what}"]\n}}' for path, what in paths.items())


def may(hcl: str, operation: str, path: str, **entity: str) -> bool:
    return allows(filled(rules_of(hcl), entity), operation, path)


def test_what_no_rule_is_for_is_refused() -> None:
    assert not may("", "read", "secret/a")
    assert not may(policy(**{"secret/a": "read"}), "read", "secret/a/b")
    assert not may(policy(**{"secret/a": "read"}), "update", "secret/a")


def test_a_star_is_a_star_at_the_end_alone() -> None:
    assert may(policy(**{"secret/bar/*": "read"}), "read", "secret/bar/zip/zap")
    assert may(policy(**{"secret/zip-*": "read"}), "read", "secret/zip-zap/zong")
    assert not may(policy(**{"secret/zip-*": "read"}), "read", "secret/zip/zap")
    assert not may(policy(**{"secret/*/x": "read"}), "read", "secret/a/x")


def test_a_plus_is_one_segment() -> None:
    rule = policy(**{"secret/+/teamb": "read"})
    assert may(rule, "read", "secret/foo/teamb")
    assert not may(rule, "read", "secret/foo/bar/teamb")
    assert may(policy(**{"secret/+/+/webapp": "read"}), "read", "secret/foo/bar/webapp")
    assert may(policy(**{"secret/+/*": "read"}), "read", "secret/foo/bar/zip")


@pytest.mark.parametrize(
    ("strong", "weak", "path"),
    [
        ("secret/a", "secret/*", "secret/a"),
        ("secret/foo/*", "secret/+/*", "secret/foo/bar"),
        ("secret/foo*", "secret/f*", "secret/foo"),
        ("secret/+", "secret/*", "secret/foo"),
        ("secret/+/x/*", "secret/+/+/*", "secret/a/x/y"),
        ("secret/*", "secret/+/+/foo/*", "secret/foo/bar/foo/baz"),
    ],
)
def test_the_rule_of_highest_priority_decides_alone(strong: str, weak: str, path: str) -> None:
    both = policy(**{weak: "read", strong: "deny"})
    assert not may(both, "read", path)
    assert may(policy(**{weak: "deny", strong: "read"}), "read", path)


def test_policies_add_up_and_deny_beats_all() -> None:
    one, other = policy(**{"secret/a": "read"}), policy(**{"secret/a": "update"})
    assert may(one + "\n" + other, "read", "secret/a")
    assert may(one + "\n" + other, "update", "secret/a")
    assert not may(one + "\n" + policy(**{"secret/a": "deny"}), "read", "secret/a")


def test_lists_are_asked_with_and_without_the_slash() -> None:
    assert may(policy(**{"kv/metadata/people": "list"}), "list", "kv/metadata/people/")
    assert may(policy(**{"kv/metadata/people/": "list"}), "list", "kv/metadata/people")
    assert may(policy(**{"kv/metadata/people/ann/*": "list"}), "list", "kv/metadata/people/ann")
    assert not may(policy(**{"kv/metadata/people/ann/*": "list"}), "list", "kv/metadata/people")


def test_templates_are_filled_in_and_skipped_for_whom_nobody_knows() -> None:
    rule = policy(**{"kv/data/people/{{identity.entity.name}}/*": "read"})
    ann = {"identity.entity.name": "ann"}
    assert allows(filled(rules_of(rule), ann), "read", "kv/data/people/ann/login")
    assert not allows(filled(rules_of(rule), ann), "read", "kv/data/people/anna/login")
    assert not allows(filled(rules_of(rule), {}), "read", "kv/data/people//login")


@pytest.mark.parametrize(
    "hcl", ['path "a" { capabilities = ["reed"] }', 'path "a" {}', "path a", '{"path": {}}', 'path "a" { policy = 1 }']
)
def test_what_vault_would_not_take_is_not_taken(hcl: str) -> None:
    with pytest.raises(Malformed):
        rules_of(hcl)
