"""What the nodes of a group tell each other beside CARP: small reports, authenticated, fresh and bounded.

CARP's backups are silent, so nobody would know that the spare is dead or set up differently until the day it is needed.
Every member sends a report each advertisement interval. No socket, clock, loop or chance here: time is an argument, and
what is random is given.

    cipher.py     authenticated encryption, with a key of the Shared Secret
    report.py     what a report says, to and from bytes
    values.py     how single values of a report are read, and their bounds
    roster.py     whom a node believes: the members that are there, and what of them is fresh
    question.py   when a backup asks its silent master, and how long it waits for the answer
    owner_questions.py  whether an answer to that still counts
    text.py       what of another host's texts may be shown
    equal.py      the settings that must be equal, and the sentences for those that are not
    sides.py      which of two nodes that do not fit together gives way
    redundancy.py who could take over, and for how long nobody could
    switching.py  a planned switch by consent; decision.py what stays of it, switch_words.py what reports say of both
    carrying.py   whose connections go on and whose clients are told; carry_words.py what reports say of it
    client_list.py  which clients each node has, told to all: client_page.py the pieces in which it is told
    lives.py      who of the others is alive, and who is dead
    drain.py      how a node finishes its connections
"""
