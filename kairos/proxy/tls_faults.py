"""Why TLS with a backend has failed: a reason for machines, and words that name no backend."""

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """What was wrong. `is_about_us` says that the backend has told so itself, of what it was shown."""

    reason: str
    message: str
    is_about_us: bool = False


CLOSED = Fault("tls_closed", "the backend closed the connection during the handshake")

_UNKNOWN = "tls_unknown_authority"
_NO_CHAIN = Fault(_UNKNOWN, "no trusted authority signed the certificate of the backend, or its chain is incomplete")
_OTHER_NAME = Fault("tls_name_mismatch", "the certificate of the backend is for another name")

_VERIFICATION = {  # by the codes of OpenSSL, X509_V_ERR_*
    2: _NO_CHAIN,
    9: Fault("tls_certificate_not_yet_valid", "the certificate of the backend, or of who signed it, is not valid yet"),
    10: Fault("tls_certificate_expired", "the certificate of the backend, or of who signed it, has expired"),
    18: Fault(_UNKNOWN, "the certificate of the backend is self-signed and not trusted"),
    19: Fault(_UNKNOWN, "the authority that signed the certificate of the backend is not trusted"),
    20: _NO_CHAIN,
    21: _NO_CHAIN,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}

_REQUIRED = Fault("tls_client_certificate_required", "the backend requires a client certificate", is_about_us=True)
_REFUSED = Fault("tls_client_certificate_refused", "the backend refused the client certificate", is_about_us=True)
_EXPIRED = Fault(_REFUSED.reason, "the backend refused the client certificate: it has expired", is_about_us=True)
_UNTRUSTED = Fault(
    _REFUSED.reason, "the backend refused the client certificate: it does not trust who signed it", is_about_us=True
)
_NO_TLS = Fault("tls_not_spoken", "the backend does not speak TLS on this port")
_VERSION = Fault("tls_protocol_version", "the backend speaks no version of TLS that is accepted here")
_NO_NAME = Fault("tls_name_refused", "the backend does not know the name that it was asked for")
_HANDSHAKE = Fault(
    "tls_handshake_refused",
    "the backend refused the handshake: it requires a client certificate, or there is no cipher in common",
)

_ERRORS = {  # by the names that OpenSSL gives them; an alert is what the backend has told
    **dict.fromkeys(("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"), _NO_TLS),
    **dict.fromkeys(("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_SSL_VERSION"), _VERSION),
    **dict.fromkeys(("SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_INSUFFICIENT_SECURITY"), _HANDSHAKE),
    "TLSV1_UNRECOGNIZED_NAME": _NO_NAME,
    **dict.fromkeys(("TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_NO_CERTIFICATE"), _REQUIRED),
    "TLSV1_ALERT_UNKNOWN_CA": _UNTRUSTED,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _EXPIRED,
    **dict.fromkeys(("SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_UNKNOWN"), _REFUSED),
    **dict.fromkeys(("SSLV3_ALERT_CERTIFICATE_REVOKED", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"), _REFUSED),
    **dict.fromkeys(("TLSV1_ALERT_ACCESS_DENIED", "TLSV1_ALERT_DECRYPT_ERROR"), _REFUSED),
}


def fault(error: ssl.SSLError) -> Fault:
    """Say what was wrong."""
    if isinstance(error, ssl.SSLCertVerificationError):
        words = f"the certificate of the backend was refused: {error.verify_message}"
        return _VERIFICATION.get(error.verify_code) or Fault("tls_not_verified", words)
    if isinstance(error, ssl.SSLEOFError):
        return CLOSED
    name = getattr(error, "reason", None) or "no reason"  # one that Python has made has none at all
    return _ERRORS.get(name) or Fault("tls_failed", name.replace("_", " ").lower())
