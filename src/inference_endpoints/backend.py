"""Where the control plane is, and who may see the token."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from inference_endpoints.operations import Service

HUGGING_FACE = "huggingface"
LOCAL = "local"


@dataclass(frozen=True)
class Backend:
    """One control plane with its token. `endpoint_hosts` says which endpoint addresses may see the token:
    a suffix (`.endpoints.huggingface.cloud`, https only) or a whole origin (`http://127.0.0.1:8080`).
    """

    name: str
    control_plane: str
    hub: str
    catalogue: str
    endpoint_hosts: tuple[str, ...]
    token: str | None = field(default=None, repr=False)

    def address(self, service: Service) -> str:
        return {
            Service.CONTROL_PLANE: self.control_plane,
            Service.HUB: self.hub,
            Service.CATALOGUE: self.catalogue,
        }[service]

    def trusts(self, url: str) -> bool:
        """Whether an endpoint's address is one the token may be sent to."""
        parts = urlsplit(url)
        if parts.username is not None or not parts.hostname:
            return False
        origin = f"{parts.scheme}://{parts.netloc}"
        return any(
            origin == host if "://" in host else parts.scheme == "https" and parts.hostname.endswith(host)
            for host in self.endpoint_hosts
        )


def hugging_face(token: str | None) -> Backend:
    """The hosted service. Addresses: huggingface_hub 2.4.0, `constants.py`."""
    return Backend(
        name=HUGGING_FACE,
        control_plane="https://api.endpoints.huggingface.cloud/v2",
        hub="https://huggingface.co",
        catalogue="https://endpoints.huggingface.co/api/v1/catalog",
        endpoint_hosts=(".endpoints.huggingface.cloud",),
        token=token,
    )


def local(url: str, token: str) -> Backend:
    """An embedded control plane at `url`, which serves the three addresses and the endpoints from one origin."""
    return Backend(
        name=LOCAL,
        control_plane=f"{url}/v2",
        hub=url,
        catalogue=f"{url}/api/v1/catalog",
        endpoint_hosts=(url,),
        token=token,
    )
