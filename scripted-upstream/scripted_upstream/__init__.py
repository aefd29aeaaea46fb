"""A model provider made for tests: speaks five wire formats, answers and fails by script.

It takes the place of OpenAI, Anthropic, Gemini, Hugging Face or Ollama, and records every request.
Start reading at `upstream` (what happens to one request), then `script` (what can be scripted) and
`formats` (one module a provider's wire format). `delivery` is where connections are reset, cut and
kept waiting; `control` is the HTTP side for tests.
"""

__version__ = "0.1.0"
