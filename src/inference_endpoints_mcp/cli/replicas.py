"""What makes a server one of several replicas: keys that all have, and a broker that all share."""

from collections.abc import Callable
from dataclasses import replace

from inference_endpoints_mcp.cli.settings.serve import ServeSettings
from inference_endpoints_mcp.privacy.private_file import PrivateFileError, read_private_file
from inference_endpoints_mcp.replicas.sealing_keys import ReplicasError, read_sealing_keys
from inference_endpoints_mcp.server.application import ServerOptions


def join_replicas(settings: ServeSettings) -> Callable[[ServerOptions], ServerOptions]:
    """What makes options those of a replica. Raises `ReplicasError`."""
    if settings.broker is None or settings.sealing_keys is None:
        return lambda options: options
    try:
        from inference_endpoints_mcp.replicas.broker_state import BrokerState
    except ImportError as error:
        raise ReplicasError("--broker needs the extra broker: pip install inference-endpoints-mcp[broker]") from error
    url, keys, password = settings.broker, read_sealing_keys(settings.sealing_keys), None
    if settings.broker_password_file is not None:
        try:
            password = read_private_file(settings.broker_password_file, "--broker-password-file").strip()
        except PrivateFileError as error:
            raise ReplicasError(str(error)) from error
    return lambda options: replace(options, sealing_keys=keys, open_shared=lambda: BrokerState(url, password))
