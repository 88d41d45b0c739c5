"""One run of ``wsa-proxy init``: from the arguments and the answers to the file, and what comes next."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Iterable
from pathlib import Path

from wsa_proxy.init.draft import all_problems
from wsa_proxy.init.draft import draft
from wsa_proxy.init.draft import problems_of
from wsa_proxy.init.new_file import write_new
from wsa_proxy.init.questions import QUESTIONS
from wsa_proxy.init.questions import Question
from wsa_proxy.init.questions import networks_text
from wsa_proxy.init.questions import with_prefix
from wsa_proxy.net.host import HostFacts
from wsa_proxy.net.host import read_host
from wsa_proxy.settings import STATE_DIR_USUAL

WRITTEN, NOT_WRITTEN, WRONG_USE = 0, 1, 2
BACKUP_PRIORITY = 200


class NotWritten(Exception):
    """The text says why; the status is the command's."""

    def __init__(self, text: str, status: int = NOT_WRITTEN) -> None:
        super().__init__(text)
        self.status = status


def init(options: argparse.Namespace) -> int:
    """Carry out the command and answer its exit status."""
    try:
        _init(options)
    except NotWritten as error:
        print(f"wsa-proxy init: {error}", file=sys.stderr)
        return error.status
    except (EOFError, KeyboardInterrupt):
        print("\nwsa-proxy init: nothing was written", file=sys.stderr)
        return NOT_WRITTEN
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"wsa-proxy init: {place}{error.strerror or error}", file=sys.stderr)
        return NOT_WRITTEN
    return WRITTEN


def _init(options: argparse.Namespace) -> None:
    file: Path = options.file
    if file.exists() and not options.force:
        raise NotWritten(f"{file} is there already; name another file, or replace it with --force")
    host = read_host()
    answers = _given(options, host)
    if options.defaults or not sys.stdin.isatty():
        _take_defaults(answers, host, asked_for=options.defaults)
    else:
        _ask_the_rest(answers, host)
    text = draft(answers)
    # What concerns no single answer, such as the state folder.
    if problems := all_problems(text, host):
        raise NotWritten("\n".join(f"{each.key}: {each.text}" for each in problems))
    try:
        write_new(file, text, force=options.force)
    except FileExistsError:
        raise NotWritten(f"{file} was made by somebody else meanwhile; nothing was changed") from None
    print("\n".join(_next_steps(file, answers)))


def _given(options: argparse.Namespace, host: HostFacts) -> dict[str, str]:
    """What the arguments answer, each of it judged."""
    answers = {} if options.state_dir is None else {"state_dir": str(Path(options.state_dir).absolute())}
    for question in QUESTIONS:
        answer = _secret_of(options) if question.key == "shared_secret" else getattr(options, question.key)
        if answer is None:
            continue
        answers[question.key] = with_prefix(answer, host) if question.key == "virtual_ip" else answer
        for problem in problems_of(answers, question.place, host):
            raise NotWritten(f"{_option(question)}: {problem}", WRONG_USE)
    return answers


def _secret_of(options: argparse.Namespace) -> str | None:
    if options.secret_file is None:
        return None
    lines = options.secret_file.read_text(encoding="utf-8").splitlines()
    return lines[0] if lines else ""


def _option(question: Question) -> str:
    return "--secret-file" if question.key == "shared_secret" else f"--{question.key.replace('_', '-')}"


def _take_defaults(answers: dict[str, str], host: HostFacts, *, asked_for: bool) -> None:
    for question in QUESTIONS:
        if question.key in answers:
            continue
        proposed = question.propose(answers, host)
        why = "nothing is asked with --defaults" if asked_for else "standard input is no terminal to ask at"
        if proposed is None:
            raise NotWritten(f"give {_option(question)}: {why}", WRONG_USE)
        for problem in problems_of(answers | {question.key: proposed}, question.place, host):
            raise NotWritten(f"give {_option(question)}: {why}, and {problem}", WRONG_USE)
        answers[question.key] = proposed


def _ask_the_rest(answers: dict[str, str], host: HostFacts) -> None:
    print("Enter takes what stands in [brackets]; Ctrl-C ends without writing.")
    for question in QUESTIONS:
        if question.key not in answers:
            answers[question.key] = _ask(question, answers, host)


def _ask(question: Question, answers: dict[str, str], host: HostFacts) -> str:
    """Until the answer is right."""
    print(f"\n{question.explains}")
    if question.key == "virtual_ip" and (networks := networks_text(host)):
        print(networks)
    proposed = question.propose(answers, host)
    while True:
        answer = _read(question, proposed)
        if not answer:
            print("  an answer is needed")
            continue
        answer = with_prefix(answer, host) if question.key == "virtual_ip" else answer
        problems = problems_of(answers | {question.key: answer}, question.place, host)
        if not problems:
            return answer
        for problem in problems:
            print(f"  {problem}")


def _read(question: Question, proposed: str | None) -> str:
    if question.key != "shared_secret":
        shown = f" [{proposed}]" if proposed else ""
        return input(f"{question.asks}{shown}: ").strip() or proposed or ""
    while True:
        answer = getpass.getpass(f"{question.asks}: ")
        if not answer:
            return proposed or ""
        if getpass.getpass("Retype Shared Secret: ") == answer:
            return answer
        print("  the two differ")


def _next_steps(file: Path, answers: dict[str, str]) -> Iterable[str]:
    named = "" if answers.get("state_dir", STATE_DIR_USUAL) == STATE_DIR_USUAL else f" {file}"
    priority = int(answers["priority"])
    other = BACKUP_PRIORITY if priority > BACKUP_PRIORITY else 255
    yield f"written: {file} (mode 600; it holds the Shared Secret)"
    yield ""
    yield "On this host:"
    yield f"  wsa-proxy check {file}"
    yield f"  wsa-proxy run {file} --set stream_large_bodies=50m"
    yield ""
    yield f"On each other host: the same file, also with mode 600 (scp -p {file} OTHER-HOST:), but for two lines:"
    yield "  node: a name of its own"
    yield f"  priority: {other}, or another one that no host of the group has"
    yield "and the same certificate authority of mitmproxy (~/.mitmproxy/mitmproxy-ca.pem)."
    yield ""
    yield "When they run:"
    yield f"  wsa-proxy test{named} {answers['id']}     who advertises the group, and whether that is as it should be"
    yield f"  wsa-proxy status{named}     what this node is, and what is wrong"
