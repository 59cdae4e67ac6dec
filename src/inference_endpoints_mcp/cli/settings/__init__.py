"""The operator's settings. Each is a flag, an `INFERENCE_ENDPOINTS_…` variable and a line of help."""
