"""Values of settings that are more than text and numbers, and how each is checked."""

import ipaddress
import re
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.policy.limits import split_list


def _validate_effects(effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
    if Effect.READS in effects:
        raise PydanticCustomError("effects", "Reading needs no approval.")
    return effects


Effects = TypeAliasType(
    "Effects", Annotated[tuple[Effect, ...], BeforeValidator(split_list), AfterValidator(_validate_effects)]
)


def validate_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Each is a host or a suffix with a leading dot. Two labels at least: the token must not go to all of `.com`."""
    invalid = [host for host in hosts if not re.fullmatch(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)+", host)]
    if invalid:
        raise PydanticCustomError(
            "hosts", "{host} is not a host. Valid are e.g. llm.acme.example or .acme.example", {"host": invalid[0]}
        )
    return hosts


def validate_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Each is what a Host header holds: a name or an address, with or without a port."""
    for name in names:
        if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", name):
            raise PydanticCustomError(
                "names",
                "{name} is not a host. Valid are e.g. mcp.acme.example or mcp.acme.example:8443",
                {"name": name},
            )
    return names


def validate_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    """Each is an address or a network, and none is all addresses: then every caller could name itself."""
    for network in networks:
        try:
            valid = ipaddress.ip_network(network).prefixlen > 0
        except ValueError:
            valid = False
        if not valid:
            raise PydanticCustomError(
                "networks", "{network} is not an address. Valid are e.g. 10.0.0.5 or 10.0.0.0/24", {"network": network}
            )
    return networks


def validate_broker(url: str) -> str:
    """The address of a broker, without a password: other users see the arguments of a process."""
    if not re.match(r"(redis|rediss|unix)://[^\s]+$", url):
        raise PydanticCustomError("broker", "A broker is redis://host:6379/0, rediss://host:6379/0 or unix:///path.")
    parts = urlsplit(url)
    if parts.password is not None or "password" in parse_qs(parts.query):
        raise PydanticCustomError(
            "broker", "The address of a broker must not hold its password: put it into --broker-password-file."
        )
    return url


def validate_collector(url: str) -> str:
    """The address of a collector's logs, without a secret: other users see the arguments of a process."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.query:
        raise PydanticCustomError(
            "collector",
            "The collector's address is http:// or https:// with a host and its path, /v1/logs, and nothing secret: "
            "headers are in OTEL_EXPORTER_OTLP_HEADERS.",
        )
    return url


def validate_address(address: str) -> str:
    """A host and a port."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise PydanticCustomError(
            "address", "{address} is not a host and a port, such as 127.0.0.1:9464", {"address": address}
        )
    return address
