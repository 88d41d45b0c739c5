from __future__ import annotations

import ssl
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509

from wsa_proxy.lab.certificates import make_authority
from wsa_proxy.lab.certificates import make_origin_certificate


def test_the_authority_is_one_that_mitmproxy_and_clients_take(tmp_path: Path) -> None:
    """The folder is a confdir with the CA and its key; the certificate for clients is a CA without the key."""
    trusted = make_authority(tmp_path / "ca")
    assert (tmp_path / "ca" / "mitmproxy-ca.pem").exists()
    text = trusted.read_bytes()
    assert b"PRIVATE KEY" not in text
    constraints = x509.load_pem_x509_certificate(text).extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.value.ca


def test_the_origins_certificate_names_it_and_is_its_own_anchor(tmp_path: Path) -> None:
    """A TLS context loads it as certificate with key, and as the authority to trust."""
    file = tmp_path / "origin.pem"
    make_origin_certificate(file, ["origin.example.com"], [ip_address("10.0.0.80"), ip_address("fd00:77::80")])
    context = ssl.create_default_context(cafile=str(file))
    context.load_cert_chain(file)
    (certificate,) = x509.load_pem_x509_certificates(file.read_bytes().split(b"-----END PRIVATE KEY-----\n")[1])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["origin.example.com"]
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["10.0.0.80", "fd00:77::80"]
