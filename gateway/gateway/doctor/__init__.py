"""`gateway doctor`: what is wrong with a stack, on what evidence, and how to mend it.

`./run doctor` collects what only the host can see and hands it over as records on standard input;
`parse.py` reads them into the `Facts` of `facts.py` (its pieces: `seen.py`), `observe.py` adds what
can be seen from inside the network. Each check in `*_checks.py` is a function from facts to
findings that touches nothing; `examine.py` runs them all, `report.py` says what they found. Only
`observe.py` needs packages, so a Python on the host can run the rest where there is no engine.
"""
