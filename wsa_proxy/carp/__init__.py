"""The protocol, without a socket, a clock, a task, a log or a random number in it.

``wire.py`` turns 36 bytes into an ``Advertisement`` and back; ``auth.py`` has CARP's HMAC and ``seal.py`` a counter
that refuses replays; ``credentials.py`` says with both what to sign and what to believe. ``election.py`` compares two
nodes; ``virtual_host.py`` is the machine: events (``events.py``) and the time go in, commands (``commands.py``) come
out. Arrows: virtual_host -> election, events, commands -> wire; credentials -> auth, seal, events -> wire.
"""
