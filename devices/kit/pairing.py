"""Becoming one of the shop's devices: pairing by a one-time code, and renewal of the certificate.

1. ``GET /api/1/ca`` over a connection that trusts nobody yet.  The one certificate whose SHA-256
   is the pairing code's fingerprint becomes the only authority; anything else is :class:`WrongHub`.
2. All that follows, the code above all, goes over a connection verified by it.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Literal, TypeVar
from urllib.parse import parse_qs, urlsplit

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ValidationError

from devices.kit.errors import HubUnreachable, PairingFailed, PairingRefused, WrongHub
from devices.kit.identity import Identity, IdentityStore, request_certificate, trust_only
from hub.contract.admin import DeviceAuth
from hub.contract.base import CONTRACT_VERSION
from hub.contract.local import Hello, PairReply, PairRequest, RenewalNonce, RenewalRequest
from hub.contract.problems import Problem

RENEWAL_CONTEXT = b"store-hub certificate renewal v1\0"
_BODY_BYTES_MAX = 131_072
_CAS_MAX = 16
_LINK_CHARACTERS_MAX = 1024

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class PairingLink:
    """What a pairing QR code says: ``storehub://pair?host=…&port=…&fp=…&code=…``."""

    host: str
    port: int
    fingerprint: str
    code: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> PairingLink:
        """Unknown fields are ignored; raises ValueError that says what is wrong."""
        if len(text) > _LINK_CHARACTERS_MAX:
            raise ValueError("this text is too long for a pairing code")
        parts = urlsplit(text.strip())
        if (parts.scheme, parts.netloc) != ("storehub", "pair"):
            raise ValueError("a pairing code begins with storehub://pair?")
        fields = parse_qs(parts.query, max_num_fields=16)
        values = {name: fields.get(name, []) for name in ("host", "port", "fp", "code")}
        for name, found in values.items():
            if len(found) != 1:
                raise ValueError(f"a pairing code names {name!r} once")
        host, port, fp, code = (found[0] for found in values.values())
        if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65_536:
            raise ValueError(f"the pairing code's port {port!r} is none")
        return cls(host, int(port), normal_fingerprint(fp), code)


def normal_fingerprint(text: str) -> str:
    """64 lower-case hexadecimal digits; colons and spaces may stand between; raises ValueError."""
    bare = re.sub(r"[:\s]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", bare):
        raise ValueError("a CA fingerprint is a SHA-256 in 64 hexadecimal digits")
    return bare


async def pair(
    store: IdentityStore,
    *,
    host: str,
    port: int,
    ca_fingerprint: str,
    code: str,
    auth: Literal["mtls", "password"] = "mtls",
    model: str = "",
    firmware: str = "",
    timeout_s: float = 15.0,
) -> Identity:
    """Spend a pairing code and write the identity into ``store``.

    ``host`` and ``port`` are the hub's HTTPS address.  Raises HubUnreachable, WrongHub,
    PairingRefused, or PairingFailed when the answer can't be used.  A call that ended in
    HubUnreachable after the code was sent may be repeated: the same key (without a certificate the
    same nonce) is offered again.
    """
    fingerprint = normal_fingerprint(ca_fingerprint)
    key = await asyncio.to_thread(store.pending_key)
    mtls = auth == "mtls"
    request = PairRequest(
        code=code,
        auth=DeviceAuth(auth),
        csr=_csr_pem(request_certificate(key)) if mtls else None,
        nonce=None if mtls else _nonce(key),
        model=model,
        firmware=firmware,
    )
    base = _base_url(host, port)
    async with _session(await _pinned(base, fingerprint, timeout_s), timeout_s) as http:
        hello = await _call(http, "GET", f"{base}/hello", None, Hello)
        if not hello.contract[0] <= CONTRACT_VERSION <= hello.contract[1]:
            raise PairingFailed(
                f"the hub speaks contract {hello.contract[0]} to {hello.contract[1]}, this device "
                f"{CONTRACT_VERSION}: update the older of the two"
            )
        answer = await _call(http, "POST", f"{base}/pair", request, PairReply)
    identity = _identity(answer, host, port, fingerprint, hello.time_ms)
    await _save(store, identity, answer)
    return identity


async def renew(
    store: IdentityStore, *, host: str | None = None, timeout_s: float = 15.0
) -> Identity:
    """A new certificate for a new key, by proof of the old key (up to 12 months after the end).

    ``host``: where the hub is now, if it moved.  Raises as :func:`pair`; the old certificate stays
    in use until the new one is written.
    """
    old = await asyncio.to_thread(store.load)
    old_key, old_certificate = await asyncio.to_thread(store.current)
    csr = request_certificate(await asyncio.to_thread(store.pending_key))
    base = _base_url(host or old.host, old.https_port)
    context = store.tls_context(with_certificate=False)
    async with _session(context, timeout_s) as http:
        hello = await _call(http, "GET", f"{base}/hello", None, Hello)
        nonce = (await _call(http, "POST", f"{base}/renewals/nonce", None, RenewalNonce)).nonce
        proof = RENEWAL_CONTEXT + nonce.encode("ascii")
        proof += csr.public_bytes(serialization.Encoding.DER)
        request = RenewalRequest(
            nonce=nonce,
            certificate=old_certificate.public_bytes(serialization.Encoding.PEM).decode(),
            csr=_csr_pem(csr),
            signature=base64.b64encode(old_key.sign(proof, ec.ECDSA(hashes.SHA256()))).decode(),
        )
        answer = await _call(http, "POST", f"{base}/renewals", request, PairReply)
    if answer.device_id != old.device_id or answer.certificate is None:
        raise PairingFailed("the hub renewed another device: pair this device again")
    until_ms = _until_ms(answer.certificate)
    identity = replace(
        old,
        name=answer.name,
        host=host or old.host,
        certificate_since_ms=hello.time_ms,
        certificate_until_ms=until_ms,
    )
    await _save(store, identity, answer)
    return identity


async def _save(store: IdentityStore, identity: Identity, answer: PairReply) -> None:
    await asyncio.to_thread(store.save, identity, ca=answer.ca, certificate=answer.certificate)


async def _pinned(base: str, fingerprint: str, timeout_s: float) -> ssl.SSLContext:
    """A context that trusts only the CA with ``fingerprint``, fetched from the hub itself."""
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.check_hostname = False
    nobody.verify_mode = ssl.CERT_NONE
    async with _session(nobody, timeout_s) as http, _request(http, "GET", f"{base}/ca") as found:
        body = await _body(found)
    try:
        offered = x509.load_pem_x509_certificates(body)[:_CAS_MAX]
    except ValueError as error:
        raise WrongHub(f"{base}/ca holds no certificates: is this the hub's address?") from error
    for certificate in offered:
        if certificate.fingerprint(hashes.SHA256()).hex() == fingerprint:
            pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
            return trust_only(pem)
    raise WrongHub(
        f"no certificate of {base}/ca has the fingerprint {fingerprint[:16]}…: "
        "this is another hub, or someone in between; make a new pairing code and compare"
    )


def _identity(answer: PairReply, host: str, port: int, fingerprint: str, now_ms: int) -> Identity:
    mtls = answer.auth is DeviceAuth.MTLS
    if mtls != (answer.certificate is not None) or mtls == (answer.password is not None):
        raise PairingFailed("the hub's answer lacks the certificate or password it promises")
    return Identity(
        device_id=answer.device_id,
        name=answer.name,
        kind=answer.kind,
        store=answer.store,
        auth="mtls" if mtls else "password",
        host=host,
        https_port=port,
        mqtt_host=answer.mqtt.host or host,
        mqtt_port=answer.mqtt.mtls_port if mtls else answer.mqtt.password_port,
        ca_fingerprint=fingerprint,
        username=answer.username,
        password=answer.password,
        certificate_since_ms=now_ms,
        certificate_until_ms=_until_ms(answer.certificate) if answer.certificate else None,
    )


def _until_ms(certificate: str) -> int:
    try:
        end = x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc
    except ValueError as error:
        raise PairingFailed("the hub's answer holds an unreadable certificate") from error
    return int(end.timestamp()) * 1000


def _nonce(key: ec.EllipticCurvePrivateKey) -> str:
    """Names this pairing where no key is certified: a hash of the public half, which stays here."""
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return sha256(public).hexdigest()


def _csr_pem(csr: x509.CertificateSigningRequest) -> str:
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def _base_url(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}:{port}/api/1"


@asynccontextmanager
async def _session(
    context: ssl.SSLContext, timeout_s: float
) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=context, limit=2)
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield session


@asynccontextmanager
async def _request(
    http: aiohttp.ClientSession, method: str, url: str, body: str | None = None
) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = {} if body is None else {"Content-Type": "application/json"}
    try:
        async with http.request(
            method, url, data=body, headers=headers, allow_redirects=False
        ) as found:
            yield found
    except aiohttp.ClientConnectorCertificateError as error:
        raise WrongHub(f"{url}: the certificate is not from the pinned CA: {error}") from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise HubUnreachable(f"{url}: {str(error) or type(error).__name__}") from error


async def _call(
    http: aiohttp.ClientSession, method: str, url: str, body: BaseModel | None, expected: type[M]
) -> M:
    text = None if body is None else body.model_dump_json(exclude_defaults=True)
    async with _request(http, method, url, text) as found:
        raw = await _body(found)
        status = found.status
    try:
        if status >= 400:
            raise PairingRefused(Problem.model_validate_json(raw))
        return expected.model_validate_json(raw)
    except ValidationError as error:
        raise PairingFailed(
            f"{url} answered {status} with something else than {expected.__name__}"
        ) from error


async def _body(found: aiohttp.ClientResponse) -> bytes:
    body = await found.content.read(_BODY_BYTES_MAX + 1)
    while len(body) <= _BODY_BYTES_MAX and (more := await found.content.read(_BODY_BYTES_MAX)):
        body += more
    if len(body) > _BODY_BYTES_MAX:
        raise PairingFailed(f"{found.url} sent more than {_BODY_BYTES_MAX} bytes: not a hub")
    return body
