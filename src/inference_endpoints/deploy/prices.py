"""Pure: what endpoints cost, in USD per hour."""

from collections.abc import Iterable

from inference_endpoints.models import Endpoint, HardwareListing

HOURS_PER_MONTH = 730


def to_money(usd: float | None) -> float | None:
    """USD without the error of adding fractions: hourly prices have at most four digits after the point."""
    return None if usd is None else round(usd, 4)


class Prices:
    """What endpoints cost, from one hardware listing."""

    def __init__(self, listing: HardwareListing) -> None:
        self._by_id = {instance.id: instance.price_per_hour for _, _, instance in listing.instances()}

    def of(self, hardware_id: str) -> float | None:
        """USD per hour of one replica on hardware of this id; None if it is not listed with a price."""
        return self._by_id.get(hardware_id)

    def replica(self, endpoint: Endpoint) -> float | None:
        """USD per hour of one replica; None if the hardware is not listed with a price."""
        return self.of(endpoint.hardware_id)

    def now(self, endpoint: Endpoint) -> float | None:
        """USD per hour that this endpoint is billed now. A paused, failed or scaled-to-zero endpoint costs nothing."""
        if not endpoint.state.billed:
            return 0.0
        replica = self.replica(endpoint)
        billed_replicas = max(endpoint.status.target_replica, endpoint.status.ready_replica)
        return to_money(None if replica is None else replica * billed_replicas)

    def at_most(self, endpoint: Endpoint) -> float | None:
        """USD per hour that an endpoint may grow to: at least one replica, whatever its status counts. A paused, failed
        or scaled-to-zero endpoint costs nothing."""
        if not endpoint.state.may_be_billed:
            return 0.0
        prices = [price for price in map(self.of, endpoint.hardware_ids) if price is not None]
        replica, status = max(prices, default=None), endpoint.status
        most = max(endpoint.compute.scaling.most_replicas, status.target_replica, status.ready_replica)
        return to_money(None if replica is None else replica * most)

    def total(self, endpoints: Iterable[Endpoint]) -> tuple[float, int]:
        """USD per hour of all endpoints with a known price, and the number of endpoints without one."""
        prices = [self.now(endpoint) for endpoint in endpoints]
        return round(sum(price for price in prices if price is not None), 4), prices.count(None)
