"""The test track: real nodes, a client and an origin on a LAN of network namespaces, and faults to try on them.

It needs no root and touches nothing: the whole lab lives in fresh user, network, mount and PID namespaces and ends
with them. The rooms, in the order in which a run passes through them:

    command.py        the arguments of ``wsa-proxy lab``
    session.py        one run: script, tour or live screen
    script.py         ``"kill a; wait; start a"`` -> steps, checked before anything starts
    faults.py         the one list of faults: script words, help text and screen keys come from it
    namespace.py      the fresh namespaces; what to do when the kernel refuses them
    lab.py            class Lab: the whole track, in one ``with``
      topology.py       the bridge ``lan`` and the hosts on it, each a namespace with ``eth0``
      configuration.py  configs/node-*.yaml -> one file for each node of the lab
      node.py           one real mitmdump with the real addon; asks it for its status
      saboteur.py       an addon that breaks its node when told (the faults ``block``, ``mute``, ``ignore``)
      listeners.py      shuts the listening sockets of another process (the fault ``deafen``)
      certificates.py   one CA for all nodes, one certificate for the origin
      origin.py         the web server behind the proxies (a process of its own)
        known_bytes.py    what a paced download consists of
        echoes.py         TCP and WebSocket that send back what they get
      client.py         starts a request every 10 ms through the virtual IP (a process of its own)
        answer.py         reads an answer: pure
        kept.py           connections that carry one request after the other
      open_connections.py  keeps connections open through it and tells what becomes of each (a process of its own)
        download.py       one download, compared byte by byte
        conversation.py   one tunnel or WebSocket whose client speaks, or only waits
        talks.py          what is said on it: bytes, no input and no output
        watch.py          the news of one connection
      holders.py        whose kernel holds the virtual IP: a log of netlink events, never sampling
    fates.py          what has become of the connections that were open: pure
    outage.py         longest gap, failed requests: pure
    report.py         the table and the JSON
    screen.py         the live screen: keys, and the lab as it is now
    view.py           what is drawn of it: pure
      bars.py           a bar for each open connection: pure

Tests run outside of the namespaces. ``python -m wsa_proxy.lab FILE.py:FUNCTION`` enters fresh ones, calls FUNCTION
there (it may build a ``Lab`` or only parts of one) and prints what it returns as JSON; tests/lab/inside.py wraps that
as ``run_inside(function)``. The other way is the one users have: ``wsa-proxy lab --script ... --json FILE``.
"""
