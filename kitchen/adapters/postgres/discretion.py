"""What may be repeated of a server's words where rows are not masked: what kind of error, on which named thing.

A server quotes the value that it could not use. Its words are read by more people than its rows: they are kept with
runs, operations, releases and audit. So what stands in quotes stays only where it is the name of something.
"""

from __future__ import annotations

import re

import psycopg2

# What a function raises is its author's text, with rows in it or not: nothing of it can be told apart.
_FREE_WORDS = ("P0", "38", "39", "HV", "XX")
_RAISED_IN = ("pl_exec.c", "plpy_elog.c", "plperl.c", "pltcl.c")
_OUR_FUNCTIONS = re.compile(r'(?<![\w."])kitchen_control\.\w+\(')  # they speak of people and kitchens
_OF_VALUES = "22"
_OF_NAMES = "23"  # which row it was stands in the detail, not in the words
_QUOTED = re.compile(r"[\"»«„“”].*[\"»«„“”]", re.DOTALL)
_NUMBERS = re.compile(r"0x[0-9a-f]{2}(?: 0x[0-9a-f]{2})*|(?<![\w(,.-])-?\d[\d.e+-]*(?![\w)])")
_NAMED = ("schema_name", "table_name", "column_name", "datatype_name", "constraint_name")
_TOLD = "…"


def without_values(error: psycopg2.Error) -> str:
    """Return an error's words without any value, its SQLSTATE, and the relation, column and constraint it is about."""
    primary = error.diag.message_primary or type(error).__name__
    if _is_ours(error):
        return primary
    if _is_free(error):
        return f"{type(error).__name__} ({error.pgcode}), in words that may hold rows"
    names = {name: found for name in _NAMED if (found := getattr(error.diag, name))}
    said = _template(error, primary, set(names.values()))
    if said == primary and not is_of_rows(error):
        return said
    parts = (("table_name", "table"), ("column_name", "column"), ("constraint_name", "constraint"))
    about = [f"{word} {names[name]}" for name, word in parts if name in names and names[name] not in said]
    return f"{said} ({', '.join([error.pgcode or 'no code', *about])})"


def is_of_rows(error: psycopg2.Error) -> bool:
    """Say whether an error may be about what stands in a row, and not only about objects and settings."""
    return not _is_ours(error) and (_is_free(error) or (error.pgcode or "").startswith((_OF_VALUES, _OF_NAMES)))


def _is_free(error: psycopg2.Error) -> bool:
    return (error.pgcode or "").startswith(_FREE_WORDS) or error.diag.source_file in _RAISED_IN


def _is_ours(error: psycopg2.Error) -> bool:
    by = (error.diag.context or "").partition("\n")[0]
    return error.diag.source_file in _RAISED_IN and _OUR_FUNCTIONS.search(by) is not None


def _template(error: psycopg2.Error, primary: str, names: set[str]) -> str:
    """Return the primary message with what is quoted and no name left out."""
    code = error.pgcode or ""
    if code.startswith(_OF_NAMES):
        return primary
    if not code.startswith(_OF_VALUES):
        if error.diag.statement_position:  # about the text of the statement, which stands in git
            return primary
        names |= _words_of(error)
    known = sorted(name for name in names if f'"{name}"' in primary)
    for at, name in enumerate(known):
        primary = primary.replace(f'"{name}"', f"\0{chr(at + 1)}")
    primary = _QUOTED.sub(f'"{_TOLD}"', primary)
    if code.startswith(_OF_VALUES):
        primary = _NUMBERS.sub(_TOLD, primary)
    for at, name in enumerate(known):
        primary = primary.replace(f"\0{chr(at + 1)}", f'"{name}"')
    return primary


def _words_of(error: psycopg2.Error) -> set[str]:
    """Return the words of the statement itself: an object that it names may be named."""
    sent = error.cursor.query if error.cursor is not None else None
    text = sent.decode(errors="replace") if isinstance(sent, bytes) else ""
    return set(re.findall(r"[^\W\d]\w*", text))
