"""A harness for language models as agents: everyday jobs, scored by success, calls and tokens. Off by default.

`python -m tests.agents --url https://…/v1 --model NAME` tries any model behind an OpenAI-compatible address, with its
key in `AGENT_API_KEY`; `--gguf FILE` one of this machine, served by the embedded control plane.
"""
