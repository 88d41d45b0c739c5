"""Who advertises what on this LAN, which of them a node believes, and why not the others: ``wsa-proxy watch``.

It looks and never sends. In the order in which a frame passes:

- ``command``       the arguments, and what is wrong with them
- ``interfaces``    where to listen
- ``listener``      frames from interfaces, in the capture's own time
- ``capture_file``  frames from a pcap or pcapng file, and into a pcap file
- ``decode``        scapy's reading of a frame, and what a node objects to in it
- ``vrrp``          the other speaker of protocol 112
- ``groups``        the failover groups of a configuration file, with their keys
- ``judge``         would a node with this configuration believe it?
- ``ledger``        one row for each sender; what is wrong between them is found by ``findings`` and ``repeats``
- ``summary``       a sentence for each group: who is its master
- ``text``          one line for each advertisement
- ``view``          the table
- ``screen``        the table, alive on a terminal
"""
