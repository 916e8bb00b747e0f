"""Processes of one machine: dying with the parent, one process for a job, ports, and yielding the CPU.

Standard library and psutil alone; knows no role.
"""
