"""The command line: ``wsa-proxy VERB``.

    entry           main(): one verb, one exit status
    parser          the verbs; those with many options only when they are called, so that ``status`` answers at once
    help            how the help is laid out, at any width
    exit_status     what the exit status of each verb means, for its help and for the README
    asking          the control socket: where it is, and what to say when nobody answers
    state_place     the state_dir of a file, without the checks
    node            run, check and cleanup: a file, and no running node
    orders          reload, demote, restore, preempt, maintenance, switch and drill
    status          status, and with status_watch a status that goes on
    colours         the same text for a terminal
    history         history and why
    group_test      test: what is advertised, beside what the running node says of it
    values          numbers and times among the arguments
    completion      the scripts that complete these words in a shell

watch, doctor, init, lab and simulate have rooms of their own.
"""

from __future__ import annotations

from wsa_proxy.cli.entry import main

__all__ = ["main"]
