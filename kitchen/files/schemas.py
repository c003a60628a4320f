"""JSON Schemas of the files that users write, for their editors.

``python -m kitchen.files.schemas environments/schema`` writes them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec

from kitchen.files.environment_model import EnvironmentFile
from kitchen.files.masking_model import MaskingFile
from kitchen.files.recipe_model import RecipeFile
from kitchen.files.units import UnitsFile

MODELS: dict[str, type[msgspec.Struct]] = {
    "environment": EnvironmentFile,
    "masking": MaskingFile,
    "recipe": RecipeFile,
    "units": UnitsFile,
}


def schema_text(model: type[msgspec.Struct]) -> str:
    """Return the JSON Schema of a model, the same at every call."""
    schema = msgspec.json.schema(model)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write every schema into a folder and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, model in MODELS.items():
        file = folder / f"{name}.json"
        file.write_text(schema_text(model))
        written.append(file)
    return tuple(written)


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
