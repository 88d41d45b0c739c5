"""The lab's certificates: one CA that all nodes share, and the origin's own certificate."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mitmproxy.certs import CertStore
from mitmproxy.options import CONF_BASENAME
from mitmproxy.options import KEY_SIZE

VALID_FOR = datetime.timedelta(days=30)


def make_authority(folder: Path) -> Path:
    """Make mitmproxy's CA in the folder, a ``confdir`` for every node; return the certificate that clients trust.

    All nodes of a group must share it, or browsers would see another issuer after a failover.
    """
    folder.mkdir()
    CertStore.from_store(folder, CONF_BASENAME, KEY_SIZE)
    return folder / f"{CONF_BASENAME}-ca-cert.pem"


def make_origin_certificate(file: Path, names: Sequence[str], addresses: Sequence[IPv4Address | IPv6Address]) -> None:
    """Write a self-made certificate and its key into one PEM file, which also serves as its own trust anchor."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    alternatives = [*map(x509.DNSName, names), *map(x509.IPAddress, addresses)]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - VALID_FOR)
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
