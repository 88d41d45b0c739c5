"""The protocol, without a socket, a clock, a task, a log or a random number in it.

``wire.py`` turns 36 bytes into an ``Advertisement`` and back; ``auth.py`` says whether to believe it; ``election.py``
compares two nodes; ``virtual_host.py`` is the machine: events (``events.py``) and the time go in, commands
(``commands.py``) come out. ``seal.py`` is a counter that refuses replays, so far only used by the wind tunnel.
Arrows: virtual_host -> election, events, commands -> wire; auth -> wire; seal -> election.
"""
