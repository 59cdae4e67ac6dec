"""llama.cpp: chat and text, embeddings and ranks of any GGUF file."""
