"""What went wrong with TLS, in words that tell what to do; OpenSSL's own are for those who know it.

Either this side does not trust the certificate of the other one (a verification error), or the other side does not
trust ours (an *alert*, which comes after this side's handshake has succeeded), or no TLS is spoken there.
"""

from __future__ import annotations

import ssl

_NOT_YET, _EXPIRED, _PURPOSE = 9, 10, 26
_OTHER_NAME = frozenset({62})
_OTHER_AUTHORITY = frozenset({2, 7, 18, 19, 20, 21, 30, 31})

_ROTATED = "or one of both has old access files (triort init --rotate makes new ones for all)"
_OURS = "this side's certificate"

ALERTS = {  # what the other side says
    "TLSV1_ALERT_UNKNOWN_CA": f"it does not know the authority of {_OURS}: it is of another cluster, {_ROTATED}",
    "TLSV1_ALERT_DECRYPT_ERROR": f"it does not know the authority of {_OURS}: it is of another cluster, {_ROTATED}",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": f"it finds {_OURS} expired; is its clock right, and the one here?",
    "SSLV3_ALERT_BAD_CERTIFICATE": f"it finds {_OURS} not valid yet; is its clock right, and the one here?",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": f"it finds {_OURS} to be for another role",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate, and this side has shown none",
    "TLSV1_UNRECOGNIZED_NAME": "it is of another cluster",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks another version of TLS than 1.3",
}  # fmt: skip
_FAULTS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it has shown no certificate",
    "UNSUPPORTED_PROTOCOL": "it speaks another version of TLS than 1.3",
    "CALLBACK_FAILED": "it looks for another cluster",
}


def explain(error: ssl.SSLError, cluster: str, wanted: str | None = None) -> str:
    """One line about a failure, seen from the side of ``cluster``; ``wanted`` is the name that the peer has asked for,
    to be escaped."""
    reason = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _explain_verification(error, cluster)
    if reason in ALERTS:
        return ALERTS[reason]
    if reason == "CALLBACK_FAILED" and wanted is not None:
        asked = wanted.partition(".")[0][:40]
        return f"it looks for the cluster {asked!a}, and this is {cluster}"
    if reason in _FAULTS:
        return _FAULTS[reason]
    words = reason.replace("_", " ").lower() or "unknown"
    return f"it does not speak the TLS of triort ({words})"


def _explain_verification(error: ssl.SSLCertVerificationError, cluster: str) -> str:
    code = error.verify_code
    if code == _NOT_YET:
        return "its certificate is not valid yet: is the clock right there, and here?"
    if code == _EXPIRED:
        return "its certificate has expired (triort init --rotate makes new ones), or the clock here is wrong"
    if code == _PURPOSE:
        return "its certificate is for another role"
    if code in _OTHER_NAME or code in _OTHER_AUTHORITY:
        return f"its certificate does not belong to the cluster {cluster}: it is of another one, {_ROTATED}"
    return f"its certificate is not valid: {error.verify_message}"
