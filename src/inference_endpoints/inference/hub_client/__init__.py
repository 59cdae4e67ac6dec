"""Clients of one endpoint with the methods of huggingface_hub 2.4.0's `InferenceClient`, blocking and awaited."""
