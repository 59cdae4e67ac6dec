"""The OpenAPI document of the REST API, generated from its contract."""

from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from inference_endpoints_local.wire import responses
from inference_endpoints_local.wire.routes import CREATE, FAULT_STATUSES, PLANE_API, SERVICE_API, RouteContract

_DESCRIPTION = (
    "The embedded control plane of inference-endpoints-mcp: the REST API of Hugging Face Inference Endpoints, on this "
    "machine. Deployed endpoints answer at their own URL, `status.url`, in the protocol of the model they serve."
)
_PATH = {
    "namespace": "The owner of the endpoints; a plane serves one namespace",
    "name": "The name of an endpoint",
    "owner": "The part of a model's repository before the slash",
    "model": "The part of a model's repository after the slash",
    "revision": "A branch, tag or commit; here all have the same file",
    "recipe": "The `publicId` of a recipe",
    "cidr_id": "The id of an address list",
    "domain": "The name of a domain",
    "service-id": "The id of a private service",
}
_SCHEMAS = "#/components/schemas/{model}"
_ERROR = {"$ref": _SCHEMAS.format(model="Error")}
_REQUEST_ID = {"x-request-id": {"description": "Names this request", "schema": {"type": "string"}}}


def document(version: str, simulated: bool) -> dict[str, Any]:
    """The document of what a plane serves, with or without the routes of the simulation."""
    routes_served = [route for route in (*SERVICE_API, *PLANE_API) if simulated or not route.simulated]
    schemas = _Schemas(routes_served)
    paths: dict[str, dict[str, Any]] = {}
    errors: set[int] = set()
    for route in routes_served:
        statuses = route.statuses | (FAULT_STATUSES if simulated and route in SERVICE_API else set())
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, statuses, schemas)
        errors |= statuses
    return {
        "openapi": "3.1.0",
        "info": {"title": "Inference Endpoints, local", "version": version, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {str(status): _response(status, "application/json", _ERROR) for status in sorted(errors)},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


class _SchemaGenerator(GenerateJsonSchema):
    """Omits titles made from names, and `default: null` for unset fields. Responses allow no additional keys."""

    def normalize_name(self, name: str) -> str:
        """`EndpointDocument` is published as `Endpoint`."""
        return super().normalize_name(name).removesuffix("Document")

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        is_unset = schema.get("default") is None
        return self.generate_inner(schema["schema"]) if is_unset else super().default_schema(schema)

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        described = super().typed_dict_schema(schema)
        return described | {"title": str(described["title"]).removesuffix("Document"), "additionalProperties": False}


class _Schemas:
    """The JSON Schemas of all bodies and responses, which share their components."""

    def __init__(self, routes_served: list[RouteContract]) -> None:
        types: list[Any] = [responses.ErrorDocument]
        types += [type_ for route in routes_served for type_ in (route.body, route.response) if type_ is not None]
        self._found, shared = TypeAdapter.json_schemas(
            [(repr(type_), "validation", TypeAdapter(type_)) for type_ in types],
            ref_template=_SCHEMAS,
            schema_generator=_SchemaGenerator,
        )
        self.components: dict[str, Any] = shared["$defs"]

    def of(self, type_: Any) -> JsonSchemaValue:
        return self._found[repr(type_), "validation"]


def _operation(route: RouteContract, errors: set[int], schemas: _Schemas) -> dict[str, Any]:
    schema = {"type": "string"} if route.response is None else schemas.of(route.response)
    success = _response(route.status, route.media_type, schema)
    responses = {str(route.status): success | _links(route)}
    responses |= {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(errors)}
    described: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": responses,
        "security": [] if route.public else [{"token": []}],
    }
    if route.body:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas.of(route.body)}},
        }
    return described


def _response(status: int, media_type: str | None, schema: dict[str, Any]) -> dict[str, Any]:
    content = {media_type: {"schema": schema}} if media_type else {}
    return {"description": HTTPStatus(status).phrase, "headers": _REQUEST_ID, "content": content}


def _links(route: RouteContract) -> dict[str, Any]:
    """The operations that a created endpoint allows next."""
    if route is not CREATE:
        return {}
    target = {"namespace": "$request.path.namespace", "name": "$response.body#/name"}
    return {
        "links": {
            other.name: {"operationId": other.name, "parameters": target}
            for other in SERVICE_API
            if set(other.parameters) == set(target)
        }
    }


def _path_parameters(route: RouteContract) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "description": _PATH[name], "schema": {"type": "string"}}
        for name in route.parameters
    ]


def _query_parameters(route: RouteContract) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    properties = route.query.model_json_schema(schema_generator=_SchemaGenerator)["properties"]
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in properties.items()]
