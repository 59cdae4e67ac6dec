"""Call what an endpoint serves: the tasks of Hugging Face's API and the chat of the OpenAI API."""

from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.inference.chat import ChatDelta, ChatMessage, ChatResponse, Usage
from inference_endpoints.inference.cold_start import OnWait
from inference_endpoints.inference.engine_calls import CallOptions, InferenceResponse
from inference_endpoints.inference.tasks import TASKS, Label, Task, TaskInput, TaskOutput

__all__ = [
    "TASKS",
    "AsyncInference",
    "CallOptions",
    "ChatDelta",
    "ChatMessage",
    "ChatResponse",
    "InferenceResponse",
    "Label",
    "OnWait",
    "Task",
    "TaskInput",
    "TaskOutput",
    "Usage",
]
