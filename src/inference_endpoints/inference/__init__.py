"""Call what an endpoint serves: the tasks of Hugging Face's API and the chat of the OpenAI API."""

from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.inference.chat import ChatAnswer, ChatDelta, ChatMessage, Usage
from inference_endpoints.inference.cold_start import OnWait
from inference_endpoints.inference.engine_calls import CallOptions, Reply
from inference_endpoints.inference.tasks import TASKS, Label, Task, TaskInput, TaskOutput

__all__ = [
    "TASKS",
    "AsyncInference",
    "CallOptions",
    "ChatAnswer",
    "ChatDelta",
    "ChatMessage",
    "Label",
    "OnWait",
    "Reply",
    "Task",
    "TaskInput",
    "TaskOutput",
    "Usage",
]
