"""The eight functions of huggingface_hub, to be awaited.

>>> endpoint = await aio.get_inference_endpoint("chat")
>>> print(type(endpoint).__name__, endpoint.status)
AsyncInferenceEndpoint running
"""

from inference_endpoints.hub_functions import HubFunctions
from inference_endpoints.inference_endpoint import AsyncInferenceEndpoint

_functions = HubFunctions(AsyncInferenceEndpoint)

get_inference_endpoint = _functions.get_inference_endpoint
list_inference_endpoints = _functions.list_inference_endpoints
create_inference_endpoint = _functions.create_inference_endpoint
update_inference_endpoint = _functions.update_inference_endpoint
delete_inference_endpoint = _functions.delete_inference_endpoint
pause_inference_endpoint = _functions.pause_inference_endpoint
resume_inference_endpoint = _functions.resume_inference_endpoint
scale_to_zero_inference_endpoint = _functions.scale_to_zero_inference_endpoint
