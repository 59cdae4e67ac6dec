"""Instances: what is offered where."""

from inference_endpoints_local.models.cloud_capacity import CloudCapacity
from inference_endpoints_local.models.instances import InstanceCatalogue, ThisMachine


def test_an_instance_is_offered_where_users_saw_it() -> None:
    listed = {
        instance.id
        for instance in InstanceCatalogue(
            ThisMachine(cores=2), simulated=True, cloud_quota=4, capacity=CloudCapacity()
        ).offered()
    }
    assert "aws-us-east-2-nvidia-rtx-pro-6000-x1" in listed
    assert "aws-us-east-1-nvidia-rtx-pro-6000-x1" not in listed
    in_ireland = {each.split("-nvidia-")[1] for each in listed if each.startswith("aws-eu-west-1-nvidia-")}
    assert in_ireland == {"t4-x1", "t4-x4", "a10g-x1", "a10g-x4"}
