"""Whether a model's German is good enough for /extract: 60 sentences, figures, a bar.

`golden.json` is the set, `entries` its shape, `score` compares what a model found with what an
experienced teacher expects (pure), `gate` asks the model through the gateway, `report` turns the
answers into figures, a table and a record, `__main__` is the command. README.md says how the set
was made and why the bar is where it is.
"""
