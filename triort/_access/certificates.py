"""The certificates of a cluster: made here, by an authority that exists for this cluster alone.

Keys are ECDSA over P-256: made in less than a millisecond, and small. Each certificate carries the cluster's id as its
name (so the right cluster is checked as others check host names, and no DNS is asked) and a role as its common name. A
client's certificate is good for dialling only: OpenSSL itself refuses one that listens with it.

`cryptography` is imported on first use, for most processes only read what is made here.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import attrs

from triort._model.roles import Badge

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

DOMAIN = "triort"


def server_name(cluster: str) -> str:
    """The name in the certificates of a cluster."""
    return f"{cluster}.{DOMAIN}"


@attrs.frozen
class Span:
    """When certificates hold."""

    start: datetime.datetime
    end: datetime.datetime


@attrs.frozen
class Authority:
    """Signs the certificates of one cluster, all for the same time. Its key is kept by nobody: to make other
    certificates is to make another authority."""

    cluster: str
    span: Span
    pem: bytes
    _certificate: x509.Certificate
    _key: EllipticCurvePrivateKey

    def issue(self, badge: Badge, span: Span | None = None) -> bytes:
        """A new key and its certificate, as PEM."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

        key = _make_key()
        usages = [Usage.CLIENT_AUTH] if badge is Badge.CLIENT else [Usage.CLIENT_AUTH, Usage.SERVER_AUTH]
        names = x509.SubjectAlternativeName([x509.DNSName(server_name(self.cluster))])
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _begin(_name(badge.value), self._certificate.subject, key, span or self.span)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=True)
            .add_extension(names, critical=False)
            .add_extension(issuer_key, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        key_pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return key_pem + certificate.public_bytes(serialization.Encoding.PEM)


def make_authority(cluster: str, span: Span) -> Authority:
    """A new authority with a new key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    key = _make_key()
    name = _name(f"triort cluster {cluster}")
    certificate = (
        _begin(name, name, key, span)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(cluster, span, certificate.public_bytes(serialization.Encoding.PEM), certificate, key)


def _begin(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, span: Span) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(span.start)
        .not_valid_after(span.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _make_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
