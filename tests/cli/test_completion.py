"""The scripts complete verbs, options and files in real shells."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from wsa_proxy import cli
from wsa_proxy.cli.completion import script
from wsa_proxy.cli.exit_status import EXIT_STATUSES

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


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_can_read_its_script(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own parser finds nothing wrong, where the shell is at hand; every verb is in it."""
    assert cli.main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in EXIT_STATUSES)
    file = tmp_path / f"completion.{shell}"
    file.write_text(out)
    if shutil.which(shell):
        subprocess.run([shell, "-n", str(file)], check=True, timeout=60)
