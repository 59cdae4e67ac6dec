"""Call what an endpoint serves: the tasks of Hugging Face's API and the chat of the OpenAI API."""
