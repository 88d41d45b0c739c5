"""The wind tunnel: the real protocol core behind the real codec, on a LAN with faults, in virtual time.

``plan.py`` draws a run from a seed; ``lan.py`` is the time, the wires and the switch's memory; ``node.py`` is a virtual
host with a model of its process and kernel; ``checker.py`` judges every event; ``run.py`` puts them together, faults
first, then quiet, then one drill; ``command.py`` is ``wsa-proxy simulate``. Arrows: everything -> lan; run -> all.

Nothing here reads a clock or an unseeded random number: the same seed gives the same run.
"""
