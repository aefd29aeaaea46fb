"""One call to one deployment, by the protocol that it speaks.

`reply` says what a provider is and gives back. `openai_provider` asks servers that speak OpenAI's
protocol, `ollama_provider` asks Ollama; both over the one `http_client`, and each with a module for
what it sends and one for what comes back. `failures` says what an error means, `usage` what an
answer used. Start reading at `openai_provider`.
"""
