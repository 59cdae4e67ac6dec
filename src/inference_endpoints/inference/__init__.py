"""Inference on endpoints: the task API of Hugging Face and the chat of the OpenAI API."""

from inference_endpoints.inference.chat import ChatAnswer, ChatDelta, ChatMessage, Usage
from inference_endpoints.inference.client import AsyncInference, Reply, Waiting
from inference_endpoints.inference.cold_start import OnWait
from inference_endpoints.inference.tasks import TASKS, Input, Label, Output, Task

__all__ = [
    "TASKS",
    "AsyncInference",
    "ChatAnswer",
    "ChatDelta",
    "ChatMessage",
    "Input",
    "Label",
    "OnWait",
    "Output",
    "Reply",
    "Task",
    "Usage",
    "Waiting",
]
