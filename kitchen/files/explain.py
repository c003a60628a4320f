"""Why plain data does not fit a model: the first fault with its exact path, found only after msgspec said no."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from kitchen.files.yaml_text import Path

Found = tuple[Path, str]

_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
    "date": "a date",
    "object": "keys with values",
    "array": "a list",
}


def why_not(data: Any, wanted: Any, path: Path = ()) -> Found | None:
    """Return path and reason of the first fault of data against a type, or None where it fits."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        return why_not(data, arguments[0], path) or _convert(data, wanted, path)
    if origin in (Union, UnionType):
        return _union(data, wanted, path)
    if origin is Literal:
        return _choice(data, [str(value) for value in arguments], path)
    if _is_a(wanted, Enum):
        return _choice(data, [str(member.value) for member in wanted], path)
    if _is_keyed(wanted):
        if not isinstance(data, dict):
            return (path, f"expected keys with values, got {_kind(data)}")
        if _is_a(wanted, msgspec.Struct):
            return _struct(data, wanted, path)
        key_type, value_type = arguments or (str, Any)
        found = _first(why_not(key, key_type, (*path, key)) for key in data)
        return found or _first(why_not(value, value_type, (*path, key)) for key, value in data.items())
    if _is_listed(wanted):
        if not isinstance(data, list):
            return (path, f"expected a list, got {_kind(data)}")
        item_type = arguments[0] if arguments else Any
        return _first(why_not(value, item_type, (*path, n)) for n, value in enumerate(data))
    return _convert(data, wanted, path)


def _struct(data: dict[str, Any], model: type[msgspec.Struct], path: Path) -> Found | None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(model)}
    known = [*fields, tag] if (tag := _tag(model)) else list(fields)
    for key in data:
        if key not in known and model.__struct_config__.forbid_unknown_fields:
            return ((*path, key), f"unknown key{did_you_mean(key, known)}")
    for name, field in fields.items():
        if field.required and name not in data:
            return (path, f"{name!r} is missing")
    found = _first(why_not(data[name], field.type, (*path, name)) for name, field in fields.items() if name in data)
    return found or _convert(data, model, path)


def _union(data: Any, wanted: Any, path: Path) -> Found | None:
    kinds = [kind for kind in get_args(wanted) if kind is not NoneType]
    if data is None and len(kinds) < len(get_args(wanted)):
        return None
    if isinstance(data, dict) and (tagged := [kind for kind in kinds if _tag(kind)]):
        return _tagged(data, tagged, path)
    alike = [kind for kind in kinds if _fits_shape(data, kind)] or (kinds if len(kinds) == 1 else [])
    if len(alike) == 1:
        return why_not(data, alike[0], path)
    return _convert(data, wanted, path)


def _tag(kind: Any) -> str | None:
    return kind.__struct_config__.tag_field if _is_a(kind, msgspec.Struct) else None


def _tagged(data: dict[str, Any], models: Sequence[Any], path: Path) -> Found | None:
    """Choose the model by the key that tells the kind."""
    field = str(_tag(models[0]))
    by_tag = {str(model.__struct_config__.tag): model for model in models}
    if field not in data:
        return (path, f"{field!r} is missing (one of {', '.join(by_tag)})")
    return _choice(data[field], list(by_tag), (*path, field)) or why_not(data, by_tag[data[field]], path)


def _fits_shape(data: Any, wanted: Any) -> bool:
    match data:
        case dict():
            return _is_keyed(wanted)
        case list():
            return _is_listed(wanted)
        case str():
            return wanted is str or get_origin(wanted) is Literal or _is_a(wanted, Enum)
    return False


def _is_keyed(wanted: Any) -> bool:
    kind = get_origin(wanted) or wanted
    return _is_a(kind, msgspec.Struct) or _is_a(kind, Mapping)


def _is_listed(wanted: Any) -> bool:
    kind = get_origin(wanted) or wanted
    return (_is_a(kind, Sequence) or _is_a(kind, frozenset)) and not _is_a(kind, str) and not _is_a(kind, bytes)


def _is_a(wanted: Any, kind: type) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, kind)


def _choice(data: Any, allowed: list[str], path: Path) -> Found | None:
    if isinstance(data, str | int) and str(data) in allowed:
        return None
    if not isinstance(data, str):
        return (path, f"expected one of {', '.join(allowed)}, got {_kind(data)}")
    return (path, f"{data[:40]!r} is not one of {', '.join(allowed)}{_near(data, allowed)}")


def _convert(data: Any, wanted: Any, path: Path) -> Found | None:
    try:
        msgspec.convert(data, wanted, strict=True)
    except msgspec.ValidationError as wrong:
        return (path, plainly(str(wrong), data))
    return None


def plainly(message: str, data: Any = None) -> str:
    """Say in the words of YAML what msgspec says in the words of Python."""
    said = message.split(" - at `", maxsplit=1)[0]
    for python, people in _KINDS.items():
        said = said.replace(f"`{python}", f"`{people}").replace(f"{python} | ", f"{people} or ")
    said = (said[0].lower() + said[1:]).replace("`", "")
    if "true or false" in said and isinstance(data, str):
        return f"{said}: write true or false"
    if said.startswith("expected text") and not isinstance(data, list | dict | NoneType):
        return f"{said}: quote it"
    return said


def _kind(data: Any) -> str:
    match data:
        case None:
            return "nothing"
        case dict():
            return _KINDS["object"]
        case list():
            return _KINDS["array"]
    return _KINDS.get(type(data).__name__, type(data).__name__)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` where a known word is near, else what is known while that is short."""
    words = list(known)
    return _near(word, words) or (f" (known: {', '.join(words)})" if 0 < len(words) <= 24 else "")


def _near(word: str, words: Sequence[str]) -> str:
    found = get_close_matches(word, words, n=1) or [
        known for known in words if len(word) > 2 and known.startswith(word)
    ]
    return f"; did you mean {found[0]!r}?" if found else ""


def _first(found: Iterable[Found | None]) -> Found | None:
    return next((one for one in found if one is not None), None)
