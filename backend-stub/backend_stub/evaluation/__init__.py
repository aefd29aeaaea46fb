"""Whether a model's German is good enough for /extract: 60 sentences, figures, a bar.

`sentences.json` has the German sentences, `entries` their shape. `evaluate` asks the model through
the gateway, `score` compares what it found with what an experienced teacher expects (pure), and
`report` turns the scores into figures, a table and a record. `__main__` is the command. README.md
says how the set was made and why the bar is where it is.
"""
