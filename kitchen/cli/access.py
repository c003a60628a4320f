"""``kitchen environment install --vault`` and ``--bucket``: what a vault and a bucket let people do."""

from __future__ import annotations

from kitchen.app import Services
from kitchen.cli.output import done, emit, emit_json, say, step, warn


def vault(services: Services, *, dry_run: bool, as_json: bool) -> None:
    """Write the vault's policies, or say what would be written."""
    from kitchen.domain.access_policies import vault_policies
    from kitchen.operations.vault_policies import differences, write

    name = services.environment.name
    found = differences(services) if dry_run else write(services, say=step)
    wanted = vault_policies(services.environment)
    if as_json:
        emit_json({
            "environment": name, "policies": [policy.name for policy in wanted], "changes": list(found.values()),
            "installed": not dry_run,
        })  # fmt: skip
    elif dry_run:
        for policy, matter in found.items():
            emit(f"{matter}: write it, {policy.says}")
        if not found:
            done(f"the vault of {name} has its policies")
    else:
        done(f"the vault of {name} has its policies; give {wanted[-1].name} to everybody admitted")


def bucket(services: Services, *, dry_run: bool, as_json: bool) -> None:
    """Make the bucket, write its policy and try the environment's key; or say what would be done."""
    from kitchen.operations.bucket import prepare, review

    name = services.environment.name
    if dry_run:
        plan, trial = review(services), None
    else:
        plan, trial = prepare(services, say=step)
    if as_json:
        emit_json({
            "environment": name, "bucket": plan.bucket, "actions": plan.actions, "policy": plan.policy.text,
            "principal": plan.principal, "installed": not dry_run,
            "opens_outside": None if trial is None else trial.outside,
        })  # fmt: skip
    elif dry_run:
        for action in plan.actions:
            emit(action)
    if plan.principal is None:
        say("whom the environment's key belongs to is not known, so the policy says nothing of its rights; "
            f"name it in environments/{name}.yaml, storage: {{principal: ARN}}")  # fmt: skip
    if trial is None:
        if not plan.actions:
            done(f"the bucket {plan.bucket} is as {name} asks for")
        return
    if trial.inside is not None:
        raise trial.inside
    if trial.outside:
        warn(f"the key of {name} may also {', '.join(trial.outside)} outside of its prefix in {plan.bucket}")
    done(f"the bucket {plan.bucket} is as {name} asks for, and the environment's key has its files")
    say(f"next: kitchen doctor {name}")
