"""The JSON Schema of a manifest says what the loader accepts."""

from typing import Any

from gitops_profile.loader import manifest_schema


def test_the_schema_knows_variants_and_aliases() -> None:
    schema = manifest_schema()
    rule, when = (schema["$defs"][name] for name in ("VariantRule", "When"))
    assert schema["properties"]["variants"]["items"] == {"$ref": "#/$defs/VariantRule"}
    assert schema["properties"]["variants"]["maxItems"] == 32
    assert rule["required"] == ["when"] and rule["additionalProperties"] is when["additionalProperties"] is False
    assert set(rule["properties"]) == {
        "when", "values", "template", "body", "file", "content_type", "sensitive", "effective_by",
    }  # fmt: skip
    assert set(when["properties"]) == {"vendor", "model", "version"} and when["minProperties"] == 1


def test_a_version_or_device_id_may_be_written_as_a_number() -> None:
    schema = manifest_schema()
    for given in (schema["$defs"]["When"]["properties"]["version"], schema["properties"]["aliases"]["items"]):
        assert {"string", "integer", "number"} <= _types(given)


def _types(schema: dict[str, Any]) -> set[str]:
    """Every type that a schema allows."""
    found = {schema["type"]} if "type" in schema else set()
    return found.union(*map(_types, schema.get("anyOf", ())))
