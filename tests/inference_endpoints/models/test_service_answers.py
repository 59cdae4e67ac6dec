"""The client reads every answer that the service's own document allows."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.support.service.service_answers import answers
from tests.support.service.service_document import documented_operations, needs_document, service_document

from inference_endpoints.models import ApiModel, ApiModelWithRaw, EndpointPage
from inference_endpoints.transport.operations import JSON, Operation

pytestmark = needs_document


@pytest.mark.parametrize("operation", documented_operations(), ids=lambda operation: operation.name)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # to shrink an answer with all graphs takes minutes
    suppress_health_check=[HealthCheck.too_slow],
)
@given(data=st.data())
def test_every_answer_is_read_and_nothing_of_it_is_lost(operation: Operation[Any], data: st.DataObject) -> None:
    schema = service_document().answer_schema(operation)
    if schema is None or operation.media_type != JSON:
        pytest.skip("the document states no form of its answer")
    answer = data.draw(answers(schema))
    read = operation.parse(answer)
    if isinstance(read, EndpointPage):
        assert [endpoint.raw for endpoint in read.items] == answer["items"]
    elif isinstance(read, list) and read and isinstance(read[0], ApiModel):
        assert [entry.model_dump(by_alias=True, exclude_unset=True) for entry in read] == answer
    else:
        assert (read.raw if isinstance(read, ApiModelWithRaw) else read) == answer
