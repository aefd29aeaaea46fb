"""`gateway spend`: what the requests of a period cost.

`period.py` is what a person asked for, `query.py` the sums from the report views, `report.py` and
`chart.py` how they are shown.
"""
