"""The report of `up --until-swap`: what is asked, how it is asked, the figures by their definitions, the JSON.

Knows the application by the rows of two files, its questions and its traffic; never imports it.
"""
