"""The model server: Ollama as a child process, and what brings one model into it.

`model-server serve` is process 1 of the container. Start reading at `keeper`: it takes the model
from nothing to loaded (`gguf` imports a file, `pull` downloads, `registry` knows the size
beforehand) and writes each step into the state file (`state`) that `health` and `status` read.
`supervise` runs `ollama serve` itself; `settings` is every knob.
"""

__version__ = "0.1.0"
