"""The load on whatever is measured, and the provider behind it: `tool/` compiled, driven from here.

`client.py` says what is asked and what was seen, `bodies.py` makes what is asked, `upstream.py` is
the provider, which counts its calls.
"""
