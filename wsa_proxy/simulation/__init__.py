"""The wind tunnel: the real protocol core behind the real codec, on a LAN with faults, in virtual time.

``plan.py`` draws a run from a seed; ``lan.py`` is the time, the wires and the switch's memory; ``node.py`` is a virtual
host with a model of its process, ``kernel.py`` of its kernel, ``sealed.py`` with a sealed counter; ``peers.py`` and
``hostile.py`` are others on the LAN. ``nemesis.py`` does what goes wrong. ``checker.py`` and ``freshness.py`` judge
every event, with the numbers in ``bounds.py``. ``run.py`` puts them together: faults, then quiet, then one drill.
``command.py`` is ``wsa-proxy simulate``. ``exhaustive.py`` stands alone: it searches all runs of a small LAN.

Nothing here reads a clock or an unseeded random number: the same seed gives the same run.
"""
