"""The contract of the REST API: routes, queries, request bodies, responses, and the OpenAPI document made from them."""
