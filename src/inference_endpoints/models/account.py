"""The owner of the token, and the namespaces they may act for."""

from pydantic import Field

from inference_endpoints.models.api_model import ApiModel, ApiModelWithRaw


class Organization(ApiModel):
    name: str
    fullname: str | None = None
    role_in_org: str | None = None
    can_pay: bool | None = None


class WhoAmI(ApiModelWithRaw):
    """The answer of `GET /api/whoami-v2`. Details of the token are only in `raw`."""

    name: str
    type: str = "user"
    fullname: str | None = None
    is_pro: bool | None = None
    can_pay: bool | None = None
    orgs: list[Organization] = Field(default_factory=list)

    @property
    def namespaces(self) -> list[str]:
        """The caller's own namespace first, then those of their organizations."""
        return [self.name, *(organization.name for organization in self.orgs)]
