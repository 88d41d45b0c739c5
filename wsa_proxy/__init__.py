"""Failover for mitmproxy: several proxies share one virtual IP with the wire protocol of CARP.

The rooms, and the arrows between them (one way only)::

    addons/carp_failover.py -> proxy -> runtime -> carp      the protocol: events and time in, commands out
                                   |          \\-> net       the kernel: packets, addresses, neighbours, links
                                   |-> config -> settings   the file, its errors, the frozen result
                                   \\-> admin -> runtime     the page for its operator, and what scripts ask over HTTP
    simulation -> carp, net.failures, runtime.sending        a LAN with faults in virtual time, and its judge
    watch -> carp, net, config                               who advertises what on a LAN, and who is believed
    doctor -> config, runtime.control, carp, net, watch      what is wrong with a host, its network and its groups
    cli -> config, runtime.control, lab, bench, simulation,  the command line
           watch, doctor
    lab                                                      real nodes, a client and an origin in namespaces
    bench -> lab                                             the lab's faults, with other products beside this one

``carp`` and ``net`` import nothing of ours. ``runtime.driver`` is the only code that sees both; ``proxy`` is the only
room that knows what mitmproxy is; ``config`` is the border between the operator's words and CARP's.
"""

__version__ = "0.1.0"
