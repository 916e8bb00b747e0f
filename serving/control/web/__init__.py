"""Pages of the control plane for a browser: files that hold no data, and ask the routes under /admin/v1 for it.

uPlot (MIT, see uPlot.LICENSE.txt) draws; it lies here, since a page may ask nobody outside.
"""
