"""With which options a plane starts."""

from dataclasses import dataclass

from inference_endpoints_local.daemon.cluster.ray_options import RayOptions


@dataclass(frozen=True)
class StartOptions:
    """The options with which a plane starts if none runs. The namespace is the user's name unless one is given.

    `cloud_quota` is in simulated accelerators per vendor and instance type. Model files may be in `model_folders`
    alone, given by their absolute paths; empty: anywhere. The plane ends once it was unused for `linger` seconds. With
    `ray`, models run on that cluster.
    """

    namespace: str | None = None
    simulated: bool = False
    simulated_speed: float = 1.0
    cloud_quota: int = 16
    model_folders: tuple[str, ...] = ()
    port: int | None = None
    linger: float = 60.0
    ray: RayOptions | None = None
