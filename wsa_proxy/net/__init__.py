"""The kernel side: frames, addresses and links of this host. It knows nothing of mastery, clocks or mitmproxy.

``ports.py`` is the contract, the other files carry it out:

- ``packet_socket.py``  advertisements (IP protocol 112) on one interface: send, receive, join the groups
- ``failures.py``       what it means that some peers, or none, could be sent to
- ``addresses.py``      the virtual addresses as a lease that the kernel ends by itself
- ``guarding.py``       the guardian's other end: a process that alone adds them (``guardian.py``, ``orders.py``)
- ``claims.py``         one process of a host for each group
- ``virtual_interface.py``  the virtual MAC: a macvlan that carries the addresses
- ``foreign_mac.py``    does the network carry frames of another hardware address than the network card's?
- ``neighbours.py``     gratuitous ARP, neighbour advertisements, and the probe "who has this address?"
- ``neighbour_table.py``  the neighbours that the kernel has asked for in vain: have it ask again at once
- ``socket_table.py``   who is connected to the virtual addresses, and where we listen, as the kernel knows it
- ``closed_sockets.py``  makes the kernel forget what is over of them
- ``tickle.py``         tells the clients of a node that has died that their connections are gone
- ``steering.py``       sends on frames of connections that other nodes still have
- ``links.py``          what the kernel reports: interfaces and addresses that come and go
- ``tap.py``           everything of protocol 112 that one interface hears or sends, for people
- ``host.py``           what this host looks like before anything is started

and below them, known to nobody outside this folder:

- ``netlink.py``        requests to the kernel's rtnetlink that are answered before the call returns
- ``steering_state.py``, ``steering_rules.py``  what steers: as values, and as rules of nf_tables
- ``nft_socket.py``, ``nft_messages.py``, ``nft_expressions.py``  transactions of nf_tables, and what is in them
- ``interface_settings.py``  sysctls of one interface
- ``raw_socket.py``     AF_PACKET sockets of one interface, with a filter in the kernel
- ``frames.py``         every frame we send, built with scapy, and scapy's second reading of what we receive

Nothing here waits. Whoever drives it watches the descriptors of ``fileno_list()`` and calls ``receive()``.
"""
