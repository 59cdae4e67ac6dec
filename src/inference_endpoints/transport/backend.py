"""The addresses of a control plane, its token, and the hosts that may receive the token."""

import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from inference_endpoints.errors import NotConfigured
from inference_endpoints.transport.service import Service
from inference_endpoints.transport.token import hugging_face_token

HUGGING_FACE = "huggingface"
LOCAL = "local"
URL_VARIABLE = "INFERENCE_ENDPOINTS_URL"
TOKEN_VARIABLE = "INFERENCE_ENDPOINTS_TOKEN"  # noqa: S105 - a name, not a token

Token = str | bool | None
"""A token; None or True for the token of this machine, False for none at all."""


@dataclass(frozen=True)
class Backend:
    """One control plane with its token.

    `endpoint_hosts` are the endpoint addresses that may receive the token: a suffix (`.endpoints.huggingface.cloud`) or
    a host (`llm.acme.example`), both https only, or a whole origin (`http://127.0.0.1:8080`).

    >>> backend = hugging_face("hf_mine")
    >>> backend.name, backend.control_plane
    ('huggingface', 'https://api.endpoints.huggingface.cloud/v2')
    """

    name: str
    control_plane: str
    hub: str
    catalogue: str
    configuration: str
    endpoint_hosts: tuple[str, ...]
    token: str | None = field(default=None, repr=False)

    def base_url(self, service: Service) -> str:
        """The address of a service's routes.

        >>> from inference_endpoints.transport.service import Service
        >>> backend.base_url(Service.HUB)
        'https://huggingface.co'
        """
        return {
            Service.CONTROL_PLANE: self.control_plane,
            Service.CONTROL_PLANE_V3: self.control_plane.removesuffix("/v2") + "/v3",
            Service.HUB: self.hub,
            Service.CATALOGUE: self.catalogue,
            Service.CONFIGURATION: self.configuration,
        }[service]

    def sends_token_to(self, service: Service) -> bool:
        """Whether requests to this service carry the token. The hosted service's suggestions need none.

        >>> from inference_endpoints.transport.service import Service
        >>> backend.sends_token_to(Service.CONFIGURATION)
        False
        """
        return self.name == LOCAL or service is not Service.CONFIGURATION

    def trusts(self, url: str) -> bool:
        """Whether the token may be sent to this endpoint address.

        >>> backend.trusts("https://abc.us-east-1.aws.endpoints.huggingface.cloud")
        True
        """
        try:
            parts = urlsplit(url)
        except ValueError:  # a malformed URL
            return False
        if parts.username is not None or not parts.hostname:
            return False
        if f"{parts.scheme}://{parts.netloc}" in self.endpoint_hosts:
            return True
        return parts.scheme == "https" and any(
            parts.hostname.endswith(host) if host.startswith(".") else parts.hostname == host
            for host in self.endpoint_hosts
        )


def hugging_face(token: str | None, extra_hosts: tuple[str, ...] = ()) -> Backend:
    """The hosted service. Addresses: huggingface_hub 2.4.0, `constants.py`.

    `extra_hosts` are the hosts of private links and custom domains: a suffix with a leading dot, or a whole host.

    >>> client = EndpointsClient(hugging_face("hf_mine", extra_hosts=("llm.acme.example",)))
    """
    return Backend(
        name=HUGGING_FACE,
        control_plane="https://api.endpoints.huggingface.cloud/v2",
        hub="https://huggingface.co",
        catalogue="https://endpoints.huggingface.co/api/v1/catalog",
        configuration="https://ui.endpoints.huggingface.co/api",  # not documented; seen in lighteval
        endpoint_hosts=(".endpoints.huggingface.cloud", *extra_hosts),
        token=token,
    )


def local(url: str, token: str | None) -> Backend:
    """An embedded control plane at `url`. It serves its own API and the endpoints from one origin.

    Raises `NotConfigured` for plain http to another machine: everybody between could read the token.

    >>> client = EndpointsClient(local("http://127.0.0.1:8080", "secret"), namespace="acme")
    """
    if not _may_receive_token(url):
        raise NotConfigured(
            "The address of the control plane is not one that a token may be sent to: nothing was sent.",
            hint="Use https://, or http:// with a loopback address (127.0.0.1), without a user or a query.",
        )
    return Backend(
        name=LOCAL,
        control_plane=f"{url}/v2",
        hub=url,
        catalogue=f"{url}/api/v1/catalog",
        configuration=f"{url}/api",
        endpoint_hosts=(url,),
        token=token,
    )


def is_loopback(host: str) -> bool:
    """Whether this host, without port and brackets, can only be this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("10.0.0.1"), is_loopback("localhost.example")
    (True, True, False, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def default_backend(token: Token = None) -> Backend:
    """Hugging Face, with the token in HF_TOKEN or of `hf auth login`.

    If `INFERENCE_ENDPOINTS_URL` is set, the embedded control plane at that address instead, with the token in
    `INFERENCE_ENDPOINTS_TOKEN`: `inference-endpoints-mcp control-plane --json` prints the address and the token's
    file. The Hugging Face token is never sent there. Raises `NotConfigured` if that token is missing, or the address
    is plain http to another machine.

    >>> default_backend().name
    'local'
    """
    url = os.environ.get(URL_VARIABLE, "").strip().rstrip("/")
    if not url:
        return hugging_face(chosen_token(token, hugging_face_token()))
    chosen = chosen_token(token, os.environ.get(TOKEN_VARIABLE, "").strip() or None)
    if chosen is None and token is not False:
        raise NotConfigured(
            f"{URL_VARIABLE} is set, but the token of that control plane is not.", hint=f"Set {TOKEN_VARIABLE}."
        )
    return local(url, chosen)


def _may_receive_token(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:  # a malformed URL
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    return bool(secure and host) and not ("@" in parts.netloc or parts.query or parts.fragment)


def chosen_token(given: Token, default: str | None) -> str | None:
    """The token to send: the given one, the default where None or True is given, none for False."""
    if isinstance(given, str):
        return given
    return None if given is False else default
