"""Lists whose items are not read here."""

from typing import Any

from inference_endpoints.models.api_model import ApiModelWithRaw


class Listing(ApiModelWithRaw):
    """The answer of a list: names found by a search, domains, address lists, private services."""

    items: list[dict[str, Any]]
