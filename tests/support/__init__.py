"""What the test suites share.

stack.py drives a compose stack from outside, as a user does: start reading there.
"""
