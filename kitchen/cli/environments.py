"""``kitchen environment``: the release environments of a project."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from kitchen.app import Services
from kitchen.cli.completion import environment_names
from kitchen.cli.options import (
    changing_options,
    current_app,
    dry_run_option,
    environment_option,
    json_option,
    never_asks,
)
from kitchen.cli.output import confirm, done, emit, emit_json, say, step, table, warn
from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment
from kitchen.domain.installation import Installation
from kitchen.domain.secret import Secret
from kitchen.errors import InvalidInput, KitchenError


@click.group("environment")
def environment_command() -> None:
    """The release environments of the project."""


@environment_command.command("show")
@click.argument("name", required=False, metavar="[ENV]", shell_complete=environment_names)
@json_option
def show(name: str | None, as_json: bool) -> None:
    """Show the chain of environments, or everything that the files say about one."""
    chain = current_app().environments
    if name is not None:
        _show_one(chain.get(name), as_json=as_json)
        return
    from kitchen.operations.services import from_the_top

    ordered = from_the_top(chain)
    if as_json:
        emit_json([_described(environment) for environment in ordered])
        return
    rows = [
        (
            environment.name,
            environment.parent or "",
            environment.branch,
            environment.warehouse.kind,
            "yes" if environment.kitchens.working else "no",
            environment.gates.approvals,
        )
        for environment in ordered
    ]
    table(("environment", "promoted to", "branch", "warehouse", "working kitchens", "approvals to enter"), rows)


@environment_command.command("install")
@click.argument("name", metavar="ENV", shell_complete=environment_names)
@click.option("--as", "user", metavar="USER", help="The server's administrator; its password is asked for.")
@click.option("--print", "printed", is_flag=True, help="Print the SQL for an administrator to review, and run nothing.")
@click.option("--dry-run", is_flag=True, help="Say what would be done on the server, and leave it as it is.")
@never_asks
@click.option("--vault", is_flag=True, help="Only write the vault's policies, with this login of the vault's.")
@click.option("--bucket", is_flag=True, help="Only make the bucket, write its policy and try the environment's key.")
@click.option("--new-password", is_flag=True, help="Give the provisioner another password; older ones open nothing.")
@json_option
def install(
    *, name: str, user: str | None, printed: bool, dry_run: bool, vault: bool, bucket: bool, new_password: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Prepare an environment on a PostgreSQL server that is somebody else's; what is done already is left alone.

    The administrator comes from PGUSER with PGPASSFILE (or PGPASSWORD), or from --as USER with a prompt; address and
    database come from the environment's file. The administrator's password is not kept. The bucket's administrator
    comes from KITCHEN_S3_ACCESS_KEY and KITCHEN_S3_SECRET_KEY (KITCHEN_S3_SESSION_TOKEN), and is not kept either.
    """
    from kitchen.cli import access
    from kitchen.cli.administrators import administrator_of, told_where_looked
    from kitchen.operations.governing import govern
    from kitchen.operations.install import install as carry_out
    from kitchen.operations.install import review

    app = current_app()
    services = app.services(name)
    if vault and bucket:
        raise InvalidInput("one at a time", hint=f"kitchen environment install {name} --vault")
    if vault or bucket:
        (access.vault if vault else access.bucket)(services, dry_run=dry_run or printed, as_json=as_json)
        return
    administrator = administrator_of(services.environment, user)
    govern(services, app.repository, say=step, may_be_new=True, branch=services.environment.branch)
    if printed or dry_run:
        looks = administrator or _provisioner(services)
        if dry_run and looks is None:
            raise InvalidInput("nobody can look at the server", hint=f"kitchen environment install {name} --print")
        with told_where_looked(administrator):
            installation = review(services, looks, say=say, new_password=new_password, keep=printed)
        _print(installation, services.environment, as_sql=printed, as_json=as_json)
        return
    if administrator is None:
        raise InvalidInput(
            "who is the server's administrator?",
            hint=f"kitchen environment install {name} --as postgres, or --print for somebody else to run",
        )
    with told_where_looked(administrator):
        installation, running = carry_out(
            services, app.environments, app.repository, administrator, say=step, new_password=new_password
        )
    if as_json:
        emit_json({**_as_data(installation), "installed": True, "running": running})
        return
    tell_cautions(installation)
    done(f"{name} is installed on {running.host}:{running.port}/{running.database}")
    say(f"next: kitchen doctor {name}")


def _provisioner(services: Services) -> Credentials | None:
    """Return the provisioner's login where it works already: it can look as well as an administrator."""
    try:
        login = services.sessions.administrator()
        services.sessions.as_administrator(application="kitchen environment install").close()
    except KitchenError:
        return None
    return login


def _print(installation: Installation, environment: Environment, *, as_sql: bool, as_json: bool) -> None:
    from kitchen.domain.access_policies import vault_policies
    from kitchen.domain.bucket_policy import bucket_statements, policy_text, principal_of
    from kitchen.domain.installation import as_script

    policies = vault_policies(environment)
    bucket = policy_text(bucket_statements(environment, principal_of(environment)))
    if as_json:
        emit_json({
            **_as_data(installation), "installed": False, "script": as_script(installation) if as_sql else None,
            "policies": {policy.name: policy.hcl for policy in policies}, "bucket_policy": bucket,
        })  # fmt: skip
    elif as_sql:
        emit(as_script(installation))
        for policy in policies:  # as comments: the whole is read by psql
            emit(f"\n-- The vault: {policy.says}\n-- vault policy write {policy.name} - <<HCL")
            emit("\n".join(f"-- {line}" for line in [*policy.hcl.splitlines(), "HCL"]))
        if bucket is not None:
            emit("\n-- The bucket's policy: aws s3api put-bucket-policy --bucket … --policy file://…")
            emit("\n".join(f"-- {line}" for line in bucket.splitlines()))
    else:
        table(("where", "what"), [(action.place, action.says) for action in installation.actions])
        tell_cautions(installation)


def tell_cautions(installation: Installation) -> None:
    """Say what stays open, with the SQL that somebody may decide to run."""
    for caution in installation.cautions:
        warn(caution.says.replace("\n", " "))
        for statement in caution.suggestion:
            say(f"    {statement};")


def _as_data(installation: Installation) -> dict[str, object]:
    return {
        "environment": installation.environment,
        "provisioner": installation.provisioner,
        "database": installation.database,
        "server": installation.server,
        "actions": [{"place": action.place, "says": action.says} for action in installation.actions],
        "cautions": installation.cautions,
    }


@environment_command.command("admit")
@click.argument("person")
@environment_option
@click.option(
    "--role", default="developer", show_default=True, help="viewer, developer, releaser, admin or runner (CI)."
)
@click.option("--password-file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Where the first password is written, for you to hand over.")  # fmt: skip
@click.option("--new-password", is_flag=True, help="Somebody who is in already gets another one.")
@dry_run_option
@json_option
def admit(
    *, person: str, environment: str | None, role: str, password_file: Path | None, new_password: bool, dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Let somebody into an environment that many share, or give another role; admins do that.

    The first password lies in a file that only you read: hand it over, and let them type kitchen login --new-password.
    """
    from kitchen.domain.people import person_name
    from kitchen.operations.people import admit as carry_out

    services = current_app().workbench(environment)
    if dry_run:
        emit(f"let {person_name(person)} into {services.environment.name} as {role}")
        return
    file = carry_out(services, person, role, password_file, renews=new_password)
    if as_json:
        emit_json({"environment": services.environment.name, "person": person, "role": role,
                   "password_file": str(file) if file is not None else None})  # fmt: skip
        return
    done(f"{person} is a {role} in {services.environment.name}")
    if file is not None:
        say(f"the first password is in {file}; then, on their machine: kitchen login -e {services.environment.name} "
            f"--person {person} --new-password")  # fmt: skip


@environment_command.command("revoke")
@click.argument("person")
@environment_option
@changing_options
@json_option
def revoke(*, person: str, environment: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Let somebody out: login closed, sessions ended, logins into kitchens gone. Repeating it finishes it."""
    from kitchen.operations.people import revoke as carry_out

    services = current_app().workbench(environment)
    if dry_run:
        for line in ("close the login", "end the sessions", "drop the logins into kitchens", "leave every staff"):
            emit(f"{line} of {person}")
        return
    confirm(f"Let {person} out of {services.environment.name}?", yes=yes)
    left = carry_out(services, person, say=step)
    if as_json:
        emit_json({"environment": services.environment.name, "person": person, "kitchens": left})
        return
    done(f"{person} is out of {services.environment.name}")
    for kitchen in left:
        say(f"still theirs: {kitchen}; kitchen hand {kitchen} PERSON, or kitchen delete {kitchen}")


@environment_command.command("people")
@click.argument("name", required=False, metavar="[ENV]", shell_complete=environment_names)
@json_option
def people(name: str | None, *, as_json: bool) -> None:
    """Who was let into an environment, by whom, as what."""
    found = current_app().workbench(name).people.all()
    if as_json:
        emit_json([asdict(one) for one in found])
        return
    rows = [
        (
            one.name,
            one.role if one.revoked_at is None else "left",
            one.admitted_by,
            f"{one.admitted_at:%Y-%m-%d}",
            one.kitchens,
        )
        for one in found
    ]
    table(("person", "role", "admitted by", "since", "kitchens"), rows)


@environment_command.command("align")
@click.argument("name", metavar="ENV", shell_complete=environment_names)
@dry_run_option
def align(name: str, *, dry_run: bool) -> None:
    """Give an environment's server what its branch says now: quotas, and what people's roles may do."""
    from kitchen.cli.delivered import tell_who_publishes
    from kitchen.operations.governing import govern
    from kitchen.operations.role_differences import role_differences

    app = current_app()
    services = app.services(name)
    if services.embedded is not None:
        raise InvalidInput(
            f"environment {name!r} is embedded: its file is read at every command", hint=f"kitchen up {name}"
        )
    if dry_run:
        emit(f"give the server of {name} the quotas and roles that environments/{name}.yaml says")
        return
    services.sessions.upgrades = True
    services.control.install()
    govern(services, app.repository, say=warn)
    services.people.open(services.environment, services.layout)
    for said in role_differences(services.environment, services.people.all()):
        warn(f"roles: {said}; kitchen environment admit, or revoke, or a merge that changes the file")
    done(f"{name} is aligned with {services.governed}")
    tell_who_publishes(app, services)


def _described(environment: Environment) -> dict[str, object]:
    services = {
        what: {"kind": service.kind, **_without_secrets(dict(service.settings))}
        for what, service in (
            ("warehouse", environment.warehouse),
            ("vault", environment.vault),
            ("storage", environment.storage),
            ("containers", environment.containers),
        )
    }
    data = environment.data
    return {
        "name": environment.name,
        "parent": environment.parent,
        "branch": environment.branch,
        **services,
        "schemas": environment.schemas,
        "connections": {name: _without_secrets(dict(found)) for name, found in environment.connections.items()},
        "variables": environment.variables,
        "data": None if data is None else {"from": data.source, "masking": data.masking, "refresh": data.refresh},
        "kitchens": {
            "working": environment.kitchens.working,
            "ttl": environment.kitchens.ttl,
            "max": environment.kitchens.max,
            "per_person": environment.kitchens.per_person,
        },
        "roles": environment.roles,
        "gates": {
            "approvals": environment.gates.approvals,
            "tests": environment.gates.tests,
            "window": environment.gates.window,
        },
    }


def _without_secrets(settings: dict[str, object]) -> dict[str, object]:
    return {key: "***" if isinstance(value, Secret) else value for key, value in settings.items()}


def _show_one(environment: Environment, *, as_json: bool) -> None:
    described = _described(environment)
    if as_json:
        emit_json(described)
        return
    for key, value in described.items():
        match value:
            case dict():
                parts = [f"{inner}: {_plain(found)}" for inner, found in value.items() if found not in (None, (), {})]
                emit(f"{key}: {', '.join(parts) or 'none'}")
            case _:
                emit(f"{key}: {_plain(value)}")


def _plain(value: object) -> str:
    match value:
        case None:
            return "none"
        case list() | tuple():
            return ", ".join(str(part) for part in value)
        case bool():
            return "yes" if value else "no"
    return str(value)
