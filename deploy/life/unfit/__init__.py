"""A student that is not fit to answer yet: whether a round made it better, or fit, and how far it has come. Pure."""
