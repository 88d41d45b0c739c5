"""The wind tunnel: the real protocol core behind the real codec, on a LAN with faults, in virtual time.

``plan.py`` draws a run from a seed; ``lan.py`` is the time, the wires and the switch's memory; ``node.py`` is a virtual
host with a model of its process, ``acting.py`` what that does with commands, ``machine.py`` its clock, ``kernel.py``
its kernel, ``outlet.py`` its way out, ``guarded.py`` its guardian, ``sealed.py`` one with a sealed counter;
``peers.py`` and ``hostile.py`` are others on the LAN. ``nemesis.py`` does what goes wrong; with ``ways.py``,
``moving.py`` and ``mover.py`` a group changes how it signs meanwhile. ``conduct.py`` (with ``memory.py``,
``rights.py`` and ``telling.py``), ``guardianship.py``, ``belief.py``, ``trust.py`` and ``checker.py`` judge every
event, with the numbers in ``bounds.py``; what they find is a ``violation.py``. ``run.py`` puts them together: faults,
then quiet and one drill (``settling.py``); ``twins.py`` plays a run again. ``command.py`` is ``wsa-proxy simulate``.
``exhaustive.py`` stands alone, with ``promises.py`` as its judge: it searches all runs of a small LAN.

Nothing here reads a clock or an unseeded random number: the same seed gives the same run.
"""
