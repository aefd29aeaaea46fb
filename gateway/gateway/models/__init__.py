"""`gateway models`: every deployment with its price, its key and how it is.

`rows.py` puts together what the running gateway, LiteLLM and the configuration know; `report.py`
shows it; `canaries.py` makes one small call to each when asked to.
"""
