"""What every role says of itself: its page of metrics, who may read it, and where it is to be found.

Nothing here knows what is counted; each room names its own metrics beside the code that counts. No text of users.
"""
