"""The bench: this product, keepalived and ucarp, each in front of the same mitmdump, through the same faults.

The hosts, the client and the faults are the lab's. The rooms, in the order in which a run passes through them:

    command.py      the arguments of ``wsa-proxy bench``
    session.py      one run of it: what can be measured here, the measuring, the three files
    interrupts.py   how it is ended before its time
    products.py     what is compared
    trials.py       the faults, each with what undoes it
    plan.py         which fault is done how often with which product; how long that takes
    programs.py     the peers' programs: where they are, their versions, what installs them
    process_news.py whether the kernel tells processes here of the end of others
    measuring.py    has one product measured, in a process of its own, run by run
      __main__.py     that process: ``python -m wsa_proxy.bench``, in fresh namespaces
        playing.py      one fault, done and undone, and what the client saw of it
        peer_lab.py     the lab with a peer's nodes
        own_clients.py  who is served by a peer's master in the machine's own network
        peer_node.py    one of them: a plain mitmdump and the peer's daemon
        daemon.py       the daemon's processes
        peer_files.py   their files, from the templates in peers/
    progress.py     what is told meanwhile
    summary.py      all runs of a fault as one cell: pure
    page.py         the page docs/benchmarks.md: pure
    front.py        what README shows of it: pure
    plot.py         its picture: pure
    machine.py      what it was measured on
"""
