"""What is compared: this stack, and others in its place.

Each alternative starts its containers on the site's network, says how it is asked, and how many
rows it has written where it keeps any. `base.py` is what they have in common.
"""
