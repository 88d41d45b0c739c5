"""The scripts complete verbs, options and files in real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from wsa_proxy import cli
from wsa_proxy.cli.completion import script
from wsa_proxy.cli.exit_status import EXIT_STATUSES
from wsa_proxy.cli.parser import SHELLS

COMPLETE = """
source {script}
complete -p wsa-proxy >&2
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
COMP_LINE="${{COMP_WORDS[*]}}"
COMP_POINT=${{#COMP_LINE}}
function=$(complete -p wsa-proxy | sed -n 's/.*-F \\([^ ]*\\).*/\\1/p')
"$function" wsa-proxy "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed_by_bash(folder: Path, *words: str) -> set[str]:
    """What bash offers for the last of these words."""
    file = folder / "completion.bash"
    file.write_text(script("bash"))
    quoted = " ".join(f"'{word}'" for word in ("wsa-proxy", *words))
    code = COMPLETE.format(script=file, words=quoted)
    command = ["bash", "--norc", "--noprofile", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    assert "-F " in done.stderr and done.stderr.endswith(" wsa-proxy\n")
    return {word.strip() for word in done.stdout.splitlines()} - {""}


def test_bash_completes_verbs_options_words_and_files(tmp_path: Path) -> None:
    """At each place what may stand there."""
    (tmp_path / "node.yaml").touch()
    assert set(EXIT_STATUSES) <= completed_by_bash(tmp_path, "")
    assert completed_by_bash(tmp_path, "sta") == {"status"}
    assert completed_by_bash(tmp_path, "status", "--w") == {"--watch"}
    assert "node.yaml" in completed_by_bash(tmp_path, "status", "no")
    assert "node.yaml" in completed_by_bash(tmp_path, "check", "")
    assert completed_by_bash(tmp_path, "maintenance", "o") == {"on", "off"}
    assert completed_by_bash(tmp_path, "completion", "") >= {"bash", "zsh", "fish"}
    assert "--virtual-ip" in completed_by_bash(tmp_path, "init", "--v")


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_knows_every_verb(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert [verb for verb in EXIT_STATUSES if verb not in out] == []


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed: apt-get install fish")
def test_fish_completes_with_what_each_is(tmp_path: Path) -> None:
    """As `complete -C` says it."""
    (tmp_path / "node.yaml").touch()
    (tmp_path / "completion.fish").write_text(script("fish"))
    lines = ["wsa-proxy sta", "wsa-proxy status --w", "wsa-proxy check no", "wsa-proxy maintenance o"]
    code = "source completion.fish; " + "; ".join(f"complete -C '{line}'" for line in lines)
    environment = os.environ | {"HOME": str(tmp_path)}
    command = ["fish", "--no-config", "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert offered == ["status", "--watch", "node.yaml", "off", "on"] and done.stderr == ""
    assert "status\twhat the running node is, since when and why, and what is wrong\n" in done.stdout


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed: apt-get install zsh")
def test_zsh_completes_at_a_terminal(tmp_path: Path) -> None:
    """The file is named and lies as the help says it; a tab writes the rest of the word."""
    (tmp_path / "_wsa-proxy").write_text(script("zsh"))
    with Terminal(program=("zsh", "-f", "-i"), environment={"HOME": str(tmp_path)}) as terminal:
        terminal.type(f"PS1=; fpath=({tmp_path} $fpath); autoload -U compinit; compinit -D -u; echo rea''dy\n")
        terminal.read_until("ready")
        terminal.type("wsa-proxy stat\t")
        terminal.read_until("wsa-proxy status")
        terminal.type("--wat\t")
        terminal.read_until("--watch")
        terminal.type("\x15exit\n")
        assert terminal.end() == 0
