"""The configuration: YAML in the operator's words in, frozen settings in CARP's words out.

The border between the two dictionaries, and the only place that knows both:

    source      the file: lines, spelling, YAML errors, and where problems are collected
    schema      the keys: which there are, what each may hold
    virtual_ip  the text of one virtual IP
    timers      advertisement interval and priority to advbase and advskew
    host_check  the host's facts: interface, subnet, addresses in use
    files       secrets and the state folder
    load        what groups must not share, the warnings, and the settings
    check       `wsa-proxy check FILE`

All that can be told at once is told at once; nothing here starts, creates or changes anything.
"""

from __future__ import annotations

from wsa_proxy.config.load import Loaded
from wsa_proxy.config.load import load
from wsa_proxy.config.load import read_state_dir
from wsa_proxy.config.source import ConfigError
from wsa_proxy.config.source import Problem

__all__ = ["ConfigError", "Loaded", "Problem", "load", "read_state_dir"]
