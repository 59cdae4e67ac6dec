"""Replicas with a broker, as their own tests have them."""

from tests.broker.conftest import broker as broker
from tests.broker.conftest import replicas as replicas
