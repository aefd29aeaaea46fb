"""What an attempt cost, what a request can cost at most, and tokens that no provider reported.

Start reading at `bill.py`. A deployment's price is made into a table once (`tariff.py`,
`rates.py`), so that a bill is a few multiplications. Its figures are those of LiteLLM's
calculator, which a test compares on the whole of LiteLLM's price map. `bound.py`
holds for a request what `bill.py` holds for an answer; `count.py` counts where no provider does.
"""

from gateway.costs.bill import bill
from gateway.costs.bound import upper_bound
from gateway.costs.count import TokenCounter

__all__ = ["TokenCounter", "bill", "upper_bound"]
