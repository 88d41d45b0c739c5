"""The mitmproxy side: everything here knows what mitmproxy is, and nothing here knows what CARP is.

- ``addon.py``: the addon class; loads the configuration and calls the others in order.
- ``listener.py``: binds the virtual IPs before they are local and a loopback port, never the wildcard.
- ``connections.py``: closes or drains the client connections of a virtual IP that is given up.
- ``liveness.py``: says whether the proxy can serve: sockets, a real request through accept(), the loop's lag.
- ``self_connect.py``: keeps a request for the proxy's own address from looping through it.
- ``mitmproxy_internals.py``: the one module that touches what is not public mitmproxy API.
"""
