"""The arguments, and that they cost no import of what only a run needs."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from wsa_proxy.init import command
from wsa_proxy.init.questions import QUESTIONS


def test_every_question_can_be_answered_by_an_option() -> None:
    """The secret by a file: what stands on a command line is seen by every user of the host."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    options = {each.dest for each in parser._actions}
    assert {question.key for question in QUESTIONS} - options == {"shared_secret"} and "secret_file" in options
    assert parser.parse_args([]).file == Path("/etc/wsa-proxy/node.yaml")


def test_the_parser_imports_nothing_slow() -> None:
    code = "import sys, wsa_proxy.init.command; sys.exit('pydantic' in sys.modules or 'pyroute2' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
