"""``wsa-proxy init``: asks for what a node's configuration needs, and writes it with comments.

command     the arguments, and the help
run         what is asked, what is taken from the arguments, and what is said at the end
questions   the questions: each with its line of explanation and what is proposed
draft       the file from the answers, and what the real checks of ``config`` say to one of them
new_file    written whole or not at all, for its owner only, over no other file
"""

from __future__ import annotations
