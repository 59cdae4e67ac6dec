"""Chat with the OpenAI API's `/v1/chat/completions`, streamed, which every engine for chat serves."""
