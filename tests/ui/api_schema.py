"""The page's API in OpenAPI's words, for tools that make requests up; the event stream, which has no end, apart."""

from typing import Any

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
_COUNTS = {"type": "array", "items": _COUNT}
_JSON: dict[str, Any] = {"content": {"application/json": {"schema": {"type": "object"}}}}

_GET = {
    "about": {},
    "runs": {},
    "fields": {},
    "values": {"field": _TEXTS},
    "curves": {"id": _TEXTS, "from": _COUNTS, "generation": _TEXTS},
    "run": {"id": _TEXT},
    "difference": {"id": _TEXT, "to": _TEXT},
    "log": {"id": _TEXT, "bytes": _COUNT},
    "picture": {"id": _TEXT, "name": _TEXT},
    "sweep": {"id": _TEXT},
    "timeline": {"id": _TEXT},
    "comparison": {"id": _TEXT},
}
_WISH = {
    "type": "object",
    "properties": {
        "sweep": _TEXT,
        "action": {"enum": ["pause", "resume", "cancel", "prioritise"]},
        "run": _TEXT,
        "priority": {"type": "integer", "minimum": -1000, "maximum": 1000},
    },
    "required": ["sweep", "action"],
}


def describe_api(ids: dict[str, list[str]]) -> dict[str, Any]:
    """Return the schema; ``ids`` are values of parameters that exist, by the parameter's name, drawn now and then."""
    paths: dict[str, Any] = {f"/api/{name}": {"get": _get(name, asked, ids)} for name, asked in _GET.items()}
    content = {"application/json": {"schema": _WISH}}
    paths["/api/queue"] = {
        "post": {"requestBody": {"required": True, "content": content}, "responses": _responses(403, 404, 422)}
    }
    return {"openapi": "3.0.3", "info": {"title": "windtunnel", "version": "1"}, "paths": paths}


def _get(name: str, asked: dict[str, Any], ids: dict[str, list[str]]) -> dict[str, Any]:
    parameters = [
        {"name": field, "in": "query", "required": True, "schema": _known(schema, ids.get(field))}
        for field, schema in asked.items()
    ]
    return {"parameters": parameters, "responses": _responses(404, 422, packed=name == "picture")}


def _known(schema: dict[str, Any], values: list[str] | None) -> dict[str, Any]:
    if values is None:
        return schema
    if schema["type"] == "array":
        return {**schema, "items": _known(schema["items"], values)}
    return {"anyOf": [schema, {"type": "string", "enum": values}]}


def _responses(*refusals: int, packed: bool = False) -> dict[str, Any]:
    found = {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}} if packed else _JSON
    answers = {"200": {"description": "found", **found}}
    return {**answers, **{str(code): {"description": "refused", **_JSON} for code in refusals}}
