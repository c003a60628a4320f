"""recipes/<name>/recipe.yaml and the files beside it to a recipe, with every check that does not need a server."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from pathlib import Path

import msgspec

from kitchen.domain.duration import parse_duration
from kitchen.domain.recipe import Node, NodeKind, Recipe, RecipeTest, Severity, Variation
from kitchen.errors import InvalidInput, NotFound
from kitchen.files.explain import did_you_mean
from kitchen.files.loader import Document, open_document
from kitchen.files.recipe_folder import inside, read_folder
from kitchen.files.recipe_model import NodeFile, OneTest, RecipeFile, SqlTest
from kitchen.files.units import read_units

_RECIPE = re.compile(r"[a-z](?:[_-]?[a-z0-9])*")
_NODE = re.compile(r"[a-z](?:[_-]?[a-z0-9])*")
_PARAMETER = re.compile(r"[a-z_][a-z0-9_]*")
_IMAGE = re.compile(r"[a-z0-9][a-zA-Z0-9._/:-]*@sha256:[0-9a-f]{64}")
_LENGTH = 48


def list_recipes(root: Path) -> tuple[str, ...]:
    """Return the names of the recipes below a project's root folder."""
    folder = root / "recipes"
    if not folder.is_dir():
        return ()
    return tuple(
        sorted(path.parent.name for path in folder.glob("*/recipe.yaml") if _RECIPE.fullmatch(path.parent.name))
    )


def read_recipe(root: Path, name: str) -> Recipe:
    """Return a recipe of a project's root folder (a worktree, or an exported commit).

    Raises NotFound, or InvalidInput with file and line.
    """
    known = list_recipes(root)
    if not _RECIPE.fullmatch(name) or len(name) > _LENGTH or not (root / "recipes" / name / "recipe.yaml").exists():
        near = get_close_matches(name, known, n=1)
        raise NotFound(
            f"there is no recipe {name[:80]!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
            hint="kitchen recipe list" if known else "write recipes/<name>/recipe.yaml, or kitchen init",
        )
    folder = root / "recipes" / name
    if folder.is_symlink():
        raise InvalidInput(f"recipes/{name}: is a link: a recipe's files are its own")
    sources = read_folder(folder, shown=f"recipes/{name}")
    document = open_document(folder / "recipe.yaml", shown=f"recipes/{name}/recipe.yaml")
    return _recipe(name, document, sources)


def _recipe(name: str, document: Document, sources: Mapping[str, str]) -> Recipe:
    file = document.to(RecipeFile)
    if not file.nodes:
        raise document.error("a recipe has at least one node", "nodes")
    _check_parameters(file, document)
    _check_variations(file, document)
    for node in file.tests:
        if node not in file.nodes:
            raise document.error(f"there is no node {node!r}{did_you_mean(node, file.nodes)}", "tests", node)
    nodes = tuple(_node(node, kept, file, document, sources) for node, kept in file.nodes.items())
    _refuse_circle(nodes, document)
    units = "" if file.units is None else _file_of(file.units, sources, document, "units")
    return Recipe(
        name=name,
        description=file.description,
        owner=file.owner,
        nodes=nodes,
        parameters=dict(file.parameters),
        variations={
            variation: Variation(variation, dict(kept.parameters), tuple(kept.nodes))
            for variation, kept in file.variations.items()
        },
        sources=sources,
        schedule=file.schedule,
        outputs=file.outputs,
        slo=file.slo,
        units=read_units(sources[units], nodes, file.parameters, shown=f"recipes/{name}/{units}") if units else (),
    )


def _check_parameters(file: RecipeFile, document: Document) -> None:
    for parameter in file.parameters:
        if not _PARAMETER.fullmatch(parameter):
            raise document.error("a parameter's name is a-z, 0-9 and _, as SQL writes it", "parameters", parameter)
        _check_value(file.parameters[parameter], document, "parameters", parameter)


def _check_value(value: object, document: Document, *at: str | int) -> None:
    inner = value if isinstance(value, list) and value else [value]
    if not all(item is None or isinstance(item, str | int | float | date) for item in inner):
        raise document.error("a value is text, a number, a date, true, false, or a list of those", *at)


def _check_variations(file: RecipeFile, document: Document) -> None:
    for name, variation in file.variations.items():
        for parameter in variation.parameters:
            if parameter not in file.parameters:
                raise document.error(
                    f"the recipe has no parameter {parameter!r}{did_you_mean(parameter, file.parameters)}",
                    "variations", name, "parameters", parameter,
                )  # fmt: skip
            _check_value(variation.parameters[parameter], document, "variations", name, "parameters", parameter)
        for at, node in enumerate(variation.nodes):
            if node not in file.nodes:
                raise document.error(
                    f"there is no node {node!r}{did_you_mean(node, file.nodes)}", "variations", name, "nodes", at
                )


# --- nodes ------------------------------------------------------------------------------------------------------------


def _node(name: str, file: NodeFile, recipe: RecipeFile, document: Document, sources: Mapping[str, str]) -> Node:
    at = ("nodes", name)
    if not _NODE.fullmatch(name) or len(name) > _LENGTH:
        raise document.error("a node's name is a-z, 0-9, _ and -, beginning with a letter", *at)
    kind = _kind(file, document, at)
    source = file.sql or file.python
    if source is not None:
        source = _file_of(source, sources, document, *at, kind.value)
    for position, earlier in enumerate(file.after):
        if earlier not in recipe.nodes:
            raise document.error(
                f"there is no node {earlier!r}{did_you_mean(earlier, recipe.nodes)}", *at, "after", position
            )
    if file.container is not None and not _IMAGE.fullmatch(file.container.image):
        raise document.error("name an image by its digest: name@sha256:…", *at, "container", "image")
    if file.command == [] or (file.command and file.command[0].startswith("-")):
        raise document.error("a command begins with the program to start", *at, "command")
    tests = recipe.tests.get(name)
    return Node(
        name=name,
        kind=kind,
        source=source,
        command=tuple(file.command or (file.container.command if file.container else ())),
        image=file.container.image if file.container else None,
        after=tuple(file.after),
        reads=tuple(file.reads),
        writes=tuple(file.writes),
        drops=tuple(file.drops),
        uses=tuple(file.uses),
        secrets=tuple(file.secrets),
        once=file.once,
        retries=file.retries,
        timeout=_seconds(file.timeout, document, *at, "timeout"),
        append=None if file.append is None else {"cursor": file.append.cursor},
        before_tests=_tests(tests.before if tests else [], document, sources, "tests", name, "before"),
        after_tests=_tests(tests.after if tests else [], document, sources, "tests", name, "after"),
    )


def _kind(file: NodeFile, document: Document, at: tuple[str, str]) -> NodeKind:
    told = [kind for kind in NodeKind if getattr(file, kind.value) is not None]
    if len(told) != 1:
        said = f"has {' and '.join(told)}" if told else "has none"
        raise document.error(f"a node is one of {', '.join(NodeKind)}; this one {said}", *at)
    return told[0]


def _file_of(text: str, sources: Mapping[str, str], document: Document, *at: str | int) -> str:
    path = document.check(lambda: inside(text), *at)
    if path not in sources:
        near = get_close_matches(path, sources, n=1)
        raise document.error(
            f"there is no file {path!r} in the recipe's folder" + (f"; did you mean {near[0]!r}?" if near else ""), *at
        )
    return path


def _seconds(text: str | None, document: Document, *at: str | int) -> float | None:
    if text is None:
        return None
    return document.check(lambda: parse_duration(text), *at).total_seconds()


def _refuse_circle(nodes: Sequence[Node], document: Document) -> None:
    after = {node.name: node.after for node in nodes}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " after ".join((*path[path.index(name) :], name))
            raise document.error(f"the nodes form a circle: {circle}", "nodes", path[-1], "after")
        if name not in done:
            for earlier in after[name]:
                visit(earlier, (*path, name))
            done.add(name)

    for node in nodes:
        visit(node.name, ())


# --- tests ------------------------------------------------------------------------------------------------------------


def _tests(
    files: Sequence[OneTest], document: Document, sources: Mapping[str, str], *at: str | int
) -> tuple[RecipeTest, ...]:
    tests: list[RecipeTest] = []
    taken: set[str] = set()
    for position, one in enumerate(files):
        test = _test(one, document, sources, *at, position)
        name, number = test.name, 2
        while name in taken:
            name, number = f"{test.name} {number}", number + 1
        taken.add(name)
        tests.append(RecipeTest(name, test.kind, test.settings, test.severity))
    return tuple(tests)


def _test(one: OneTest, document: Document, sources: Mapping[str, str], *at: str | int) -> RecipeTest:
    kept = {kind: getattr(one, kind) for kind in one.__struct_fields__ if getattr(one, kind) is not None}
    if len(kept) != 1:
        said = f"has {' and '.join(kept)}" if kept else "has none"
        raise document.error(f"an item is one test, of one kind; this one {said}", *at)
    ((kind, test),) = kept.items()
    settings = {key: value for key, value in msgspec.structs.asdict(test).items() if value is not None}
    severity, name = Severity(settings.pop("severity")), settings.pop("name", None)
    if isinstance(test, SqlTest):
        if (test.file is None) == (test.query is None):
            raise document.error("a sql test has either a file or a query", *at, kind)
        if test.file is not None:
            settings["file"] = _file_of(test.file, sources, document, *at, kind, "file")
    _check_settings(kind, settings, document, *at, kind)
    return RecipeTest(name or _name_of(kind, settings), kind, settings, severity)


def _check_settings(kind: str, settings: dict[str, object], document: Document, *at: str | int) -> None:
    if kind == "freshness":
        settings["max_age"] = _seconds(str(settings["max_age"]), document, *at, "max_age")
    if kind == "accepted_values":
        _check_value(settings["values"], document, *at, "values")
    if kind == "relationship" and "." not in str(settings["to"]):
        raise document.error("write the other side as table.column", *at, "to")
    if kind == "spc" and (settings["metric"] == "row_count") == ("column" in settings):
        raise document.error("row_count is of a table, and every other metric of a column", *at)
    if kind == "row_count" and not settings.keys() & {"min", "max"}:
        raise document.error("a row_count has min, max, or both", *at)


def _name_of(kind: str, settings: Mapping[str, object]) -> str:
    if kind == "sql":
        return f"sql {settings['file']}" if "file" in settings else "sql query"
    columns = settings.get("columns") or ([settings["column"]] if "column" in settings else [])
    if kind == "spc":
        kind = f"spc {settings['metric']}"
    inside_table = f"({', '.join(map(str, columns))})" if isinstance(columns, list) and columns else ""
    return f"{kind} {settings['table']}{inside_table}"
