"""The node's page for its operator, and what scripts ask over HTTP: a small web server on the proxy's own loop.

A request goes through these files in this order::

    door           where it listens, how many connections there may be, and for how long
    gate           how much of a request is read, and how many of them a second
    handler        the checks that every request meets: whom it was sent to, who asks, and, before something is changed,
                   that the page itself asks (access, sessions, attempts, secret)
    pages, api, event_stream (and what other rooms' tables add)
                   what is answered
    routes         the one table of all that can be asked; openapi makes its description of it

It listens on ``admin: listen`` and nowhere else. Nobody is let in without the token or the password, and what changes
something leaves a line in the log that says who has asked for it.

The editing of the configuration file, from the text up::

    yaml_places         where each value stands in a YAML text
    yaml_spelling       how a value is written
    yaml_patch          one value of the text replaced, added or removed; every other character stays
    masking             a text without its secrets, and what differs between two of them
    form                the fields of a form as typed, and the values that they become
    pending             changes that were submitted and not yet committed
    configuration_file  the file: whether it can be written, and how
    editing             submit, commit and abandon, for one node
    editing_api         the same over HTTP; editing_schemas describes what it takes and answers

Nobody but the file's own check (``config``) judges what a configuration may say.
"""
