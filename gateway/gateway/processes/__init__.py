"""Several gateways in one container: GATEWAY_PROCESSES of them share its ports.

Begin with `supervisor.py`: it starts the processes, starts one again that dies, and stops them all.
Each is a gateway of its own in every other respect: journal, connections, part of the limits.
`siblings.py` is what they tell each other about their health, and `../metrics/summed.py` is where
their metrics are added up. A single process needs none of this, and none of it is imported then.
"""
