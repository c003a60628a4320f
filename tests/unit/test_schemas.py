"""The JSON Schemas that editors use are those of the models that files are read with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kitchen.files.schemas import MODELS, schema_text, write_schemas

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "environments" / "schema"


@pytest.mark.parametrize("name", MODELS)
def test_what_is_shipped_is_what_is_generated(name: str) -> None:
    shipped = (SHIPPED / f"{name}.json").read_text()
    assert shipped == schema_text(MODELS[name]), "python -m kitchen.files.schemas environments/schema"


def test_only_these_are_shipped(tmp_path: Path) -> None:
    written = {file.name for file in write_schemas(tmp_path / "new")}
    assert {file.name for file in SHIPPED.iterdir()} == written


def test_every_example_names_its_schema_in_its_first_line() -> None:
    files = [*(ROOT / "environments").glob("*.yaml"), *(ROOT / "recipes").glob("*/recipe.yaml")]
    assert len(files) >= 4
    for file in files:
        first = file.read_text().splitlines()[0]
        named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
        assert named, file
        schema = (file.parent / named[1]).resolve()
        assert schema.parent == SHIPPED
        kind = "recipe" if file.name == "recipe.yaml" else "masking" if file.name == "masking.yaml" else "environment"
        assert schema.name == f"{kind}.json"


@pytest.mark.parametrize("name", MODELS)
def test_a_schema_refuses_unknown_keys_and_explains_itself(name: str) -> None:
    schema = json.loads(schema_text(MODELS[name]))
    for title, part in schema["$defs"].items():
        if part.get("type") == "object":
            assert part["additionalProperties"] is False, title
            assert part.get("description"), title
