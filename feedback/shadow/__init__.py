"""Shadow traffic: which exchanges are copied, the queue of copies, the loop that asks and judges.

Asks engines only through the Protocol in `asking.py`.
"""
