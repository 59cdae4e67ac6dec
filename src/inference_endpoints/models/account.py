"""The owner of the token, what the token may do, and the namespaces it may act for."""

from pydantic import Field

from inference_endpoints.models.api_model import ApiModel, ApiModelWithRaw

READ = "inference.endpoints.read"
MANAGE = "inference.endpoints.write"
CALL = "inference.endpoints.infer.write"
"""The permissions of a fine-grained token for Inference Endpoints, as refusals name them (measured 2026)."""


class Organization(ApiModel):
    name: str
    fullname: str | None = None
    role_in_org: str | None = None
    can_pay: bool | None = None


class ScopedEntity(ApiModel):
    """A user, organization or repository."""

    name: str = ""
    type: str = ""


class TokenScope(ApiModel):
    """What a fine-grained token may do for one entity."""

    entity: ScopedEntity = Field(default_factory=ScopedEntity)
    permissions: list[str] = Field(default_factory=list)


class FineGrained(ApiModel):
    """What a fine-grained token may do: everywhere, and for single entities."""

    everywhere: list[str] = Field(default_factory=list, alias="global")
    scoped: list[TokenScope] = Field(default_factory=list)


class AccessToken(ApiModel):
    role: str = ""
    fine_grained: FineGrained | None = None


class Auth(ApiModel):
    access_token: AccessToken | None = None


class WhoAmI(ApiModelWithRaw):
    """The answer of `GET /api/whoami-v2`."""

    name: str
    type: str = "user"
    fullname: str | None = None
    is_pro: bool | None = None
    can_pay: bool | None = None
    orgs: list[Organization] = Field(default_factory=list)
    auth: Auth = Field(default_factory=Auth)

    @property
    def namespaces(self) -> list[str]:
        """The caller's own namespace first, then those of their organizations."""
        return [self.name, *(organization.name for organization in self.orgs)]

    @property
    def token_role(self) -> str:
        """`read`, `write` or `fineGrained`; empty where it is not known."""
        return self.auth.access_token.role if self.auth.access_token else ""

    def can_pay_for(self, namespace: str) -> bool | None:
        """Whether a namespace has a payment method. None where it is not known."""
        if namespace == self.name:
            return self.can_pay
        return next((each.can_pay for each in self.orgs if each.name == namespace), None)

    def permissions(self, namespace: str) -> list[str] | None:
        """What a fine-grained token may do with Inference Endpoints in a namespace. None for other tokens, whose role
        decides."""
        token = self.auth.access_token
        if token is None or token.fine_grained is None:
            return None
        scoped = (scope.permissions for scope in token.fine_grained.scoped if scope.entity.name == namespace)
        granted = {name for names in (token.fine_grained.everywhere, *scoped) for name in names}
        return sorted(name for name in granted if name.startswith("inference.endpoints."))

    def missing_permissions(self, namespace: str) -> list[str]:
        """Which permissions for Inference Endpoints a fine-grained token lacks in a namespace.

        Managing includes reading (measured 2026-07: a token with it and without `READ` lists endpoints).
        """
        granted = self.permissions(namespace)
        if granted is None:
            return []
        return [
            name for name in (READ, MANAGE, CALL) if name not in granted and not (name == READ and MANAGE in granted)
        ]
