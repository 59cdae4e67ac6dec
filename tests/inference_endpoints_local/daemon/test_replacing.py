"""When a plane is replaced by another, and when it is joined."""

import json
from contextlib import aclosing

import pytest
from tests.support.planes.plane_driver import local

from inference_endpoints_local.daemon.connect import StartOptions, connect_plane, take_lease
from inference_endpoints_local.daemon.plane_errors import NotSimulated

from .machine import Machine, create_endpoint, endpoints_of, line_of

pytestmark = pytest.mark.anyio

REAL = StartOptions()
SIMULATED = StartOptions(simulated=True)


def age(machine: Machine) -> None:
    """Let the running plane have an older version."""
    discovery = machine.data_dir / "plane.json"
    discovery.write_text(discovery.read_text().replace(f'"{machine.plane.version}"', '"0.0.1"'))


async def test_an_idle_older_plane_is_replaced_by_one_with_the_same_abilities(machine: Machine) -> None:
    old = await connect_plane(machine.data_dir, SIMULATED)
    age(machine)
    new = await connect_plane(machine.data_dir, REAL)
    assert new.pid != old.pid
    assert (new.url, new.version, new.simulated) == (old.url, old.version, True)


async def test_an_older_plane_that_was_started_to_stay_is_joined(machine: Machine) -> None:
    await line_of(machine.serve("--simulated"))
    age(machine)
    assert await connect_plane(machine.data_dir, SIMULATED) == machine.plane


async def test_an_older_plane_whose_simulation_is_leased_is_joined_and_shows_its_version(machine: Machine) -> None:
    old = await connect_plane(machine.data_dir, SIMULATED)
    await create_endpoint(old)
    async with aclosing(await take_lease(old)):
        age(machine)
        joined = await connect_plane(machine.data_dir, SIMULATED)
        assert joined.version == "0.0.1"
        assert joined == machine.plane


async def test_an_older_plane_with_a_worker_is_joined_even_without_a_lease(machine: Machine) -> None:
    await line_of(machine.serve("--linger=60", "--programs=tests.support.planes.plane_driver:tiny_programs"))
    await create_endpoint(machine.plane, json.dumps(local("e")).encode())
    age(machine)
    assert await connect_plane(machine.data_dir, REAL) == machine.plane


async def test_a_simulation_without_a_lease_is_replaced_and_continues_in_the_next_plane(machine: Machine) -> None:
    old = await connect_plane(machine.data_dir, SIMULATED)
    await create_endpoint(old)
    age(machine)
    new = await connect_plane(machine.data_dir, SIMULATED)
    assert new.pid != old.pid
    assert await endpoints_of(new) == ["e"]


async def test_simulation_replaces_an_idle_plane_that_lacks_it(machine: Machine) -> None:
    real = await connect_plane(machine.data_dir, REAL)
    simulated = await connect_plane(machine.data_dir, SIMULATED)
    assert simulated.pid != real.pid
    assert simulated.simulated


async def test_an_idle_plane_with_fewer_model_folders_is_replaced_by_one_with_those_of_both(machine: Machine) -> None:
    one = await connect_plane(machine.data_dir, StartOptions(model_folders=("/a",)))
    assert await connect_plane(machine.data_dir, StartOptions(model_folders=("/a",))) == one
    both = await connect_plane(machine.data_dir, StartOptions(model_folders=("/b",)))
    assert (both.pid != one.pid, both.model_folders) == (True, ("/a", "/b"))
    assert await connect_plane(machine.data_dir, StartOptions(model_folders=("/b",))) == both


async def test_simulation_does_not_replace_a_plane_with_other_work(machine: Machine) -> None:
    await line_of(machine.serve())
    with pytest.raises(NotSimulated, match="choose another --data-dir"):
        await connect_plane(machine.data_dir, SIMULATED)
    assert await connect_plane(machine.data_dir, REAL) == machine.plane


async def test_a_plane_that_simulates_is_joined_without_a_request_for_simulation(machine: Machine) -> None:
    simulated = await connect_plane(machine.data_dir, SIMULATED)
    assert await connect_plane(machine.data_dir, REAL) == simulated
