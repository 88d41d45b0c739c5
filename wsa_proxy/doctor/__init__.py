"""``wsa-proxy doctor``: what is wrong with this host, its network and its group, each with evidence and a fix.

    command, run   the verb; what is asked in which order
    subject        the groups: of the file, else of the running node
    node           the running node: its status document, and what the kernel says of its process
    listening      some seconds on the LAN: who advertises, who answers for the virtual IPs, what comes back
    ruleset        what a packet filter does with a packet; nftables and iptables read their rules into it
    facts          all of that, in one value
    text           the findings, for a person and as JSON

The other files are the checks; ``checks`` has them all, by name. A check is a function of the facts: it reads no file,
opens no socket and knows no clock. It answers findings, or says why it could not be made; silence means that nothing is
wrong.

The doctor is harmless. It sends ARP probes and neighbour solicitations, and the test of ``net/foreign_mac.py``: both
change nobody's neighbour table. It never advertises, and it changes nothing on this host.
"""
