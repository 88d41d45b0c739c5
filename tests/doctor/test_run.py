"""The whole command: a clean network, and each fault built for real; it names the fault, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.authorities import write_authority
from tests.doctor.network import Chatter
from tests.doctor.network import Patient
from tests.doctor.network import answering
from tests.doctor.patients import member
from tests.doctor.patients import members
from tests.doctor.patients import status
from tests.lab.keepalived import Keepalived
from tests.lab.keepalived import find_keepalived
from tests.learning_switch import run
from tests.watch.packets import BEGIN_S
from tests.watch.packets import Sender
from tests.watch.packets import frame
from wsa_proxy import cli
from wsa_proxy.runtime.findings import blocked

ROOT = Path(__file__).resolve().parents[2]
NEEDS_NODE = {"running node", "memory", "advertisements between members", "members", "redundancy", "clocks"}

DIFFERS = "node b: VIP 10.0.0.4/24, here 10.0.0.3/24"

type Capsys = pytest.CaptureFixture[str]


def believed() -> bytes:
    """An advertisement of the group's master."""
    return frame(SENDER.payload(time.time() - BEGIN_S), "10.0.0.2", "02:00:00:00:00:0b")


SENDER = Sender()


def test_a_clean_network(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """Nothing is found, also with a master that is believed; what takes a running node is named as not made."""
    patient = Patient(lan, tmp_path)
    report = patient.examine(capsys)
    assert (report.status, report.findings) == (0, []), report.document
    assert set(report.not_made) == NEEDS_NODE
    with Chatter(lan, believed):
        assert patient.examine(capsys).findings == []


def test_what_an_operator_reads(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """What, seen, fix; what was not looked at; how it stands. Without a fault the last two."""
    patient = Patient(lan, tmp_path)
    command = ["doctor", str(patient.file), "--confdir", str(patient.confdir), "--seconds", "1.3"]
    assert cli.main(command) == 0
    clean = capsys.readouterr()
    none = f"{patient.state_dir}/control.sock: no such socket; no node runs with this state_dir"
    assert (clean.err, clean.out) == (
        "",
        f"not made: running node, memory, advertisements between members, members, redundancy, clocks: {none}\n"
        "\nnothing found: 18 checks, 6 of them not made or in part only\n",
    )
    patient.file.chmod(0o644)
    assert cli.main(command) == 3
    assert capsys.readouterr().out.startswith(
        f"files: others may use {patient.file}, which holds the Shared Secret\n"
        "  seen  its mode is 644\n"
        f"  fix   chmod 600 {patient.file}\n"
        "\n"
        "not made: "
    )


def test_another_host_has_the_virtual_ip(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """With its hardware address, and the address by which this host knows it."""
    with lan.on_the_right():
        lan.ip(f"address add 10.0.0.3/24 dev {lan.RIGHT}")
        mac = lan.mac(lan.RIGHT)
    finding = Patient(lan, tmp_path).examine(capsys).only("virtual IP")
    assert finding.what == "10.0.0.3, a virtual IP of group 1, is answered by somebody who is not its master"
    assert mac in finding.evidence and "known here as 10.0.0.2" in finding.evidence


def test_an_ipv6_neighbour_has_the_virtual_ip(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """The same by neighbour solicitation."""
    with lan.on_the_right():
        lan.ip(f"address add fd00:77::3/64 dev {lan.RIGHT} nodad")
    patient = Patient(lan, tmp_path, virtual_ip="[10.0.0.3/24, 'fd00:77::3/64']")
    assert patient.examine(capsys).only("virtual IP").what.startswith("fd00:77::3, a virtual IP of group 1")


def test_a_master_that_answers_is_none(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """Who advertises and is believed may answer for the virtual IP from there."""
    with lan.on_the_right():
        lan.ip(f"address add 10.0.0.3/24 dev {lan.RIGHT}")
        mac = lan.mac(lan.RIGHT)
    patient = Patient(lan, tmp_path)
    with Chatter(lan, lambda: frame(SENDER.payload(time.time() - BEGIN_S), "10.0.0.2", mac)):
        assert patient.examine(capsys).findings == []


def test_another_secret(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """CARP that does not authenticate is one finding, with its reason and its sender."""
    stranger = Sender(secret="another-secret-1")
    patient = Patient(lan, tmp_path)
    with Chatter(lan, lambda: frame(stranger.payload(time.time() - BEGIN_S), "10.0.0.9", "02:00:00:00:00:09")):
        finding = patient.examine(capsys).only("other speakers")
    assert finding.what.endswith("and advertises it with another Shared Secret or other virtual IPs")
    assert "from 10.0.0.9 (unverified), 02:00:00:00:00:09" in finding.evidence
    assert "bad_secret, signed with another secret" in finding.evidence


@pytest.mark.skipif(find_keepalived() is None, reason="keepalived is missing: apt-get install keepalived")
@pytest.mark.parametrize("version", [2, 3])
def test_keepalived_with_the_same_id(lan: Any, tmp_path: Path, capsys: Capsys, version: int) -> None:
    """It is named as a VRRP router, with its version, priority and addresses."""
    patient = Patient(lan, tmp_path)
    folder = tmp_path / "keepalived"
    router = Keepalived(Path(lan.path_of_right), folder, version, 1, ["10.0.0.77"], lan.RIGHT)
    router.start()
    try:
        lan.until(lambda: "Entering MASTER STATE" in router.log, "keepalived is master", within_s=20)
        finding = patient.examine(capsys).only("other speakers")
    finally:
        router.end()
    assert finding.what == "a VRRP router (keepalived, for one) uses id 1 on this LAN, the id of our group"
    assert f"from 10.0.0.2 (unverified), {mac_of_right(lan)}" in finding.evidence
    assert finding.evidence.endswith(f": VRRP {version}, priority 255, for 10.0.0.77")


def mac_of_right(lan: Any) -> str:
    with lan.on_the_right():
        return str(lan.mac(lan.RIGHT))


def test_a_switch_that_reflects(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """A bridge's port in hairpin mode: own probes come back, without any node."""
    with lan.on_the_right():
        lan.ip("link add name bridge type bridge mcast_snooping 0 forward_delay 0")
        lan.ip(f"address flush dev {lan.RIGHT}")
        lan.ip(f"link set {lan.RIGHT} master bridge")
        lan.ip("link set bridge addrgenmode none up")
        lan.ip("address add 10.0.0.2/24 dev bridge")
        run("bridge", "link", "set", "dev", lan.RIGHT, "hairpin", "on")
    finding = Patient(lan, tmp_path).examine(capsys).only("reflection")
    assert finding.what == "the network on left sends back what this host sends"
    assert finding.evidence == "3 of 3 own ARP probes came in again"


def test_a_rule_that_drops_protocol_112_where_a_node_hears(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """Ingress: the rule alone is read; with a master on the LAN it is seen that nothing gets through."""
    patient = Patient(lan, tmp_path)
    chain = f"chain in {{ type filter hook ingress device {lan.LEFT} priority 0; ip protocol 112 counter drop; }}"
    run("nft", "-f", "-", text=f"table netdev guard {{\n{chain}\n}}\n")
    finding = patient.examine(capsys).only("packet filter")
    assert finding.what == "the packet filter drops protocol 112 (CARP, IPv4) coming in on left"
    assert finding.evidence.startswith("read, not tried: table netdev guard, chain in: ip protocol vrrp counter drop")
    with Chatter(lan, believed):
        evidence = patient.examine(capsys).only("packet filter").evidence
    assert evidence.startswith("table netdev guard, chain in: ") and evidence.endswith(" and none got through")


def test_what_drops_it_and_cannot_be_read(
    lan: Any, tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without nft the rules are not read, which is said; that nothing gets through is seen all the same."""
    patient = Patient(lan, tmp_path)
    chain = f"chain in {{ type filter hook ingress device {lan.LEFT} priority 0; ip protocol 112 drop; }}"
    run("nft", "-f", "-", text=f"table netdev guard {{\n{chain}\n}}\n")
    monkeypatch.setattr("wsa_proxy.doctor.firewall.PATHS", str(tmp_path))
    with Chatter(lan, believed):
        report = patient.examine(capsys)
    assert report.only("packet filter").what == "this host drops protocol 112 (CARP, IPv4) coming in on left"
    assert report.not_made["packet filter"].startswith("nft is not installed, so its rules were not read")


def test_rules_that_do_no_harm(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """A node hears and multicasts by packet sockets, which input and output chains do not stop: they are no finding."""
    patient = Patient(lan, tmp_path)
    chains = [
        f"chain {hook} {{ type filter hook {hook} priority 0; ip protocol 112 drop; }}" for hook in ("input", "output")
    ]
    run("nft", "-f", "-", text="table inet guard {\n" + "\n".join(chains) + "\n}\n")
    with Chatter(lan, believed):
        assert patient.examine(capsys).findings == []


def test_a_policy_that_drops_the_reports(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """An ordinary host firewall without a line for the members' reports; with the line, nothing."""
    patient = Patient(lan, tmp_path)
    chain = "chain input { type filter hook input priority 0; policy drop;\nct state established,related accept\n"
    rules = f"table inet host {{\n{chain}tcp dport 22 accept\n}}\n}}\n"
    run("nft", "-f", "-", text=rules)
    finding = patient.examine(capsys).only("packet filter")
    assert finding.what == "the packet filter drops UDP port 8112 (members' reports, IPv4) coming in on left"
    assert finding.evidence == "read, not tried: table inet host, chain input: policy drop"
    command, _, _ = finding.fix.partition(";")
    run(*command.split())  # what it says is what helps
    assert patient.examine(capsys).findings == []


def test_a_wrong_mask(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    finding = Patient(lan, tmp_path, virtual_ip="10.0.0.3/25").examine(capsys).only("interface and subnet")
    assert finding.what == "groups[0].virtual_ip 10.0.0.3/25: the prefix differs from that of left"
    assert finding.fix == "there it is 10.0.0.3/24"


def test_a_virtual_ip_of_another_subnet(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    finding = Patient(lan, tmp_path, virtual_ip="10.0.9.3/24").examine(capsys).only("interface and subnet")
    assert "10.0.9.3/24 is not in a subnet of left (10.0.0.1/24" in finding.what + finding.fix


def test_an_interface_that_is_not_there(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """It cannot be listened to either, which is said and is no other finding."""
    patient = Patient(lan, tmp_path)
    patient.file.write_text(patient.file.read_text().replace(lan.LEFT, "lefd"))
    report = patient.examine(capsys)
    assert "did you mean left?" in report.only("interface and subnet").fix
    assert {"virtual IP", "other speakers", "reflection"} <= set(report.not_made)


def test_an_interface_that_is_down(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    patient = Patient(lan, tmp_path)
    lan.ip(f"link set {lan.LEFT} down")
    report = patient.examine(capsys)
    assert "left is down" in report.only("interface and subnet").what
    assert report.not_made["other speakers"].endswith("nothing can be heard: see the check of the interface")


def test_no_carrier(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    patient = Patient(lan, tmp_path)
    with lan.on_the_right():
        lan.ip(f"link set {lan.RIGHT} down")
    assert "has no carrier" in patient.examine(capsys).only("interface and subnet").what


def test_strict_rp_filter(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    patient = Patient(lan, tmp_path)
    Path("/proc/sys/net/ipv4/conf/all/rp_filter").write_text("1")
    finding = patient.examine(capsys).only("kernel settings")
    assert finding.what.startswith("net.ipv4.conf.all.rp_filter is 1: the kernel drops what comes in for a virtual IP")
    assert finding.fix.startswith("sysctl -w net.ipv4.conf.all.rp_filter=0")
    interface_mac = Patient(lan, make(tmp_path / "interface"), mac="interface")
    assert interface_mac.examine(capsys).findings == []


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_network_that_refuses_another_hardware_address(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """As a virtual switch without promiscuous mode: what goes to another address than the port's does not arrive."""
    patient = Patient(lan, tmp_path)
    chain = f"chain out {{ type filter hook egress device {lan.RIGHT} priority 0;"
    with lan.on_the_right():
        run(
            "nft",
            "-f",
            "-",
            text=f"table netdev port {{\n{chain}\nether daddr & ff:ff:ff:00:00:00 == 02:00:5e:00:00:00 drop\n}}\n}}\n",
        )
    finding = patient.examine(capsys).only("virtual MAC")
    assert finding.what.startswith("the network on left refuses frames of another hardware address")
    assert finding.evidence.endswith("came from 10.0.0.2")


def test_an_expired_authority(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    patient = Patient(lan, tmp_path)
    write_authority(patient.confdir / "mitmproxy-ca.pem", days_left=-1)
    assert patient.examine(capsys).only("certificate authority").what.startswith("mitmproxy's CA has expired")


def test_loose_modes(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """The folder of the state, mitmproxy's key, and a file of the secret, each with its chmod."""
    secret = tmp_path / "secret"
    secret.write_text("correct-horse-1\n")
    secret.chmod(0o640)
    patient = Patient(lan, tmp_path, shared_secret=None, shared_secret_file=str(secret))
    patient.state_dir.chmod(0o777)
    (patient.confdir / "mitmproxy-ca.pem").chmod(0o644)
    report = patient.examine(capsys)
    assert report.checks == ["files"] * 3
    assert [each.fix for each in report.findings] == [
        f"chmod 600 {secret}",
        f"chmod 755 {patient.state_dir}",
        f"chmod 600 {patient.confdir / 'mitmproxy-ca.pem'}",
    ]


def test_without_rights(lan: Any, tmp_path: Path) -> None:
    """Without CAP_NET_RAW: found, since a node like it could not begin; and what was not looked at is named."""
    patient = Patient(lan, tmp_path)
    kept = "-all,+net_admin"
    command = ["setpriv", "--securebits=+noroot", "--inh-caps", kept, "--ambient-caps", kept, "--bounding-set", kept]
    command += [sys.executable, "-m", "wsa_proxy.cli", "doctor", str(patient.file), "--confdir", str(patient.confdir)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("rights: this process lacks CAP_NET_RAW; a node started like it could not begin\n")
    deaf = "left: without CAP_NET_RAW nothing can be heard: run the doctor as root"
    assert (
        f"not made: virtual IP, other speakers, reflection, advertisements between members, virtual MAC: {deaf}\n"
        in (done.stdout)
    )
    assert "\n1 found: 18 checks, " in done.stdout


MASTER = {"pid": 0, "node": "a", "guardian": {"pid": None}}


@pytest.mark.parametrize(
    ("changes", "check", "what"),
    [
        ({}, None, ""),
        (
            {"list": [member(clock_offset_s=-5.0)]},
            "clocks",
            "the clock of node b (10.0.0.2) is 5.0 s behind this host's",
        ),
        ({"findings": [DIFFERS]}, "members", DIFFERS),
        (
            {"findings": [blocked("a", "b")]},
            "advertisements between members",
            "the advertisements of group 1",
        ),
        ({"redundancy": {"lost_s": 4.0, "why": "b: never heard"}}, "redundancy", "group 1 has no healthy standby"),
        (
            {"list": [member(), member(node="c", not_ready=["its self-test fails"])]},
            "redundancy",
            "node c, a member of",
        ),
    ],
)
def test_what_only_a_running_node_knows(
    lan: Any, tmp_path: Path, capsys: Capsys, changes: dict[str, Any], check: str | None, what: str
) -> None:
    """One that answers with such a document, on an interface as a node leaves it."""
    patient = Patient(lan, tmp_path)
    for name, value in (("arp_announce", "2"), ("arp_ignore", "1")):
        Path(f"/proc/sys/net/ipv4/conf/{lan.LEFT}/{name}").write_text(value)
    group = status(interface=lan.LEFT, members=members(member()) | changes)
    with answering(patient.state_dir / "control.sock", MASTER | {"groups": [group]}):
        report = patient.examine(capsys)
    if check is None:
        assert (report.status, report.findings) == (0, []), report.document
    else:
        assert report.only(check).what.startswith(what)
    assert set(report.not_made) == {"rights", "memory"}  # of a process that is none here


def test_it_cannot_run(tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file and without a node, and with a file that is none: why, and status 1."""
    monkeypatch.setattr("wsa_proxy.cli.asking.DEFAULT_SOCKET", tmp_path / "control.sock")
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        f"wsa-proxy doctor: {tmp_path}/control.sock: no such socket; no node runs with this state_dir; name the node's"
        " configuration: wsa-proxy doctor FILE\n",
    )
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", str(tmp_path / "none.yaml")])
    assert ended.value.code == 1 and "none.yaml" in capsys.readouterr().err


def test_it_sends_no_advertisement(lan: Any, tmp_path: Path, capsys: Capsys) -> None:
    """What leaves is ARP from 0.0.0.0, for an IPv6 address solicitations from ::, and the kernel's own IGMP and MLD."""
    patient = Patient(lan, tmp_path, virtual_ip="[10.0.0.3/24, 'fd00:77::3/64']")
    before = os.listdir(patient.state_dir)
    wire = lan.wire(lambda each: each[6:12] != bytes.fromhex(mac_of_right(lan).replace(":", "")))
    patient.examine(capsys)
    for each in wire.queued():
        kind = each[12:14].hex()
        if kind == "0806":
            assert each[28:32] == bytes(4), each.hex()
        elif kind == "0800":
            assert each[23] == 2, each.hex()  # IGMP
        elif each[20] == 58:
            assert (kind, each[22:38]) == ("86dd", bytes(16)), each.hex()
        else:
            assert (kind, each[20], each[54]) == ("86dd", 0, 58), each.hex()  # MLD, behind a hop-by-hop header
    assert os.listdir(patient.state_dir) == before
