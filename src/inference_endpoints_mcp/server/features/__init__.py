"""What the server offers beside tools: prompts, completion, skills and the app."""
