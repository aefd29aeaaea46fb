"""What people see of a record: a table with ratios, a chart, what changed, docs/performance.md.

`view.py` says what is shown of a benchmark; start reading there.
"""
