"""Opening pairing, spending a code, renewing a certificate.

Codes, passwords and keys are made and checked here, in threads; the database gets hashes and
serial numbers.  The plain code and a device's password leave once, in the answer.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives import serialization

from hub.clock import Randomness
from hub.contract.admin import DeviceAuth, OpenPairing, Paired, PairingOpened
from hub.contract.base import CONTRACT_VERSION
from hub.contract.local import MqttAddress, PairReply, PairRequest, RenewalNonce, RenewalRequest
from hub.contract.problems import Code, problem, refuse
from hub.contract.problems import Refusal as Refused
from hub.security.authority import Authority, DeviceCertificate
from hub.security.codes import PairingLink, hash_code, new_code, normal_code, show_code
from hub.security.errors import (
    NonceRefused,
    RenewalBusy,
    RenewalRefused,
    RequestRefused,
)
from hub.security.passwords import hash_password, new_password
from hub.security.renewal import NONCE_LIFE_S, Nonces, RenewalAsked, check_renewal
from hub.security.requests import read_request
from hub.service import screening
from hub.service.caller import HUB, Caller
from hub.service.gate import Gate
from hub.service.handlers.devices import (
    KeepPairing,
    PairDevice,
    PairingOutcome,
    RenewCertificate,
)
from hub.service.internal import KeepCertificate
from hub.storage import devicerows

DAY_MS: Final = 86_400_000
AT_ONCE_MAX: Final = 4


class PairingOpenedPage(PairingOpened):
    """For the page: the QR also as an SVG."""

    qr_svg: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where devices find what; asked anew each time, for ports may be any free ones."""

    host: Callable[[], str]
    https_port: Callable[[], int]
    mqtt_password_port: Callable[[], int]
    mqtt_mtls_port: Callable[[], int]


Admit = Callable[[str, str | None], Awaitable[None]]
"""Makes the running broker know a device: its id, and its password in clear if it has one."""


class PairingDesk:
    """At most four requests at a time; the others wait (a request's own bound ends the wait)."""

    def __init__(
        self,
        gate: Gate,
        authority: Authority,
        nonces: Nonces,
        randomness: Randomness,
        addresses: Addresses,
        admit: Admit | None = None,
    ) -> None:
        self._gate = gate
        self._authority = authority
        self._nonces = nonces
        self._randomness = randomness
        self._addresses = addresses
        self._admit = admit
        self._at_once = asyncio.Semaphore(AT_ONCE_MAX)

    async def open(self, caller: Caller, command: OpenPairing) -> PairingOpenedPage:
        """A one-time code, told to ``caller`` alone.  Errors: those of the handler."""
        screening.screen(command)
        code = new_code(self._randomness)
        pairing_id = self._gate.ids.uuid7()
        await self._gate.internal(
            caller,
            KeepPairing(
                pairing_id=pairing_id,
                code_hash=hash_code(code, self._randomness),
                kind=command.kind,
                name=command.name.strip(),
                rekey_device_id=command.rekey_device_id,
                cut_off=command.cut_off,
            ),
        )
        host, port = self._addresses.host(), self._addresses.https_port()
        link = PairingLink(host, port, self._authority.fingerprint, code).text()
        shown = f"[{host}]" if ":" in host else host
        return PairingOpenedPage(
            pairing_id=pairing_id,
            code=show_code(code),
            qr=link,
            qr_svg=await asyncio.to_thread(qr_svg, link),
            expires_in_s=self._gate.shop.pairing_ttl_ms // 1000,
            url=f"https://{shown}:{port}/",
        )

    async def pair(self, request: PairRequest, host: str) -> PairReply:
        """Spend a code.  Errors: ``forbidden`` for a wrong one, ``validation`` for a bad request;
        the latter costs no try."""
        mtls = request.auth is DeviceAuth.MTLS
        if mtls and not request.csr:
            raise refuse(
                Code.VALIDATION,
                'csr: a client certificate needs a certificate request (PEM); or say "auth": '
                '"password".',
            )
        screening.screen(request)
        if normal_code(request.code) is None:
            raise _wrong_code()
        async with self._at_once:
            key_hash = (
                await asyncio.to_thread(_key_hash, request.csr)
                if mtls
                else _nonce_hash(request.nonce)
            )
            password = None if mtls else new_password(self._randomness)
            outcome: PairingOutcome = await self._gate.internal(
                HUB,
                PairDevice(
                    code=request.code,
                    auth=request.auth,
                    key_hash=key_hash,
                    model=request.model,
                    firmware=request.firmware,
                    password_hash=(
                        str(hash_password(password, self._randomness)) if password else None
                    ),
                ),
            )
            if outcome.paired is None:
                raise _wrong_code()
            paired = outcome.paired
            certificate = None
            if mtls:
                assert request.csr is not None
                certificate = await self._issue(request.csr, paired.device_id)
                await self._keep(paired.device_id, key_hash, certificate)
            if self._admit is not None:
                await self._admit(paired.device_id, password)
        return self._reply(paired, host, certificate, password)

    def nonce(self) -> RenewalNonce:
        """A nonce for one renewal."""
        return RenewalNonce(nonce=self._nonces.issue(), expires_in_s=int(NONCE_LIFE_S))

    async def renew(self, request: RenewalRequest, host: str) -> PairReply:
        """A new certificate by proof of the old key.  Errors: ``forbidden``, ``validation``,
        ``busy``."""
        try:
            signature = base64.b64decode(request.signature, validate=True)
        except (ValueError, binascii.Error):
            raise refuse(Code.VALIDATION, "signature: send it as base64.") from None
        asked = RenewalAsked(request.certificate, request.csr, request.nonce, signature)
        async with self._at_once:
            try:
                granted = await asyncio.to_thread(
                    check_renewal,
                    asked,
                    authority=self._authority,
                    nonces=self._nonces,
                    is_revoked=_not_known_here,
                    now_ms=self._gate.clock.wall_ms(),
                )
            except (RenewalRefused, RequestRefused) as error:
                raise _renewal_problem(error) from error
            old_serial = f"{granted.old_serial:x}"
            old = await self._gate.read(lambda rows: devicerows.certificate(rows, old_serial))
            if old is None or old.revoked_at_ms is not None:
                raise _revoked()
            made = await self._issue(request.csr, granted.device_id)
            paired: Paired | None = await self._gate.internal(
                HUB,
                RenewCertificate(
                    granted.device_id, old_serial, f"{made.serial:x}", made.not_after_ms
                ),
            )
            if paired is None:
                raise _revoked()  # the new certificate goes nowhere: nobody was given it
        return self._reply(paired, host, made, None)

    async def _keep(self, device_id: str, key_hash: str, made: DeviceCertificate) -> None:
        """Errors: ``forbidden`` when the key was cut off while its certificate was made."""
        serial = f"{made.serial:x}"
        kept: bool = await self._gate.internal(
            HUB, KeepCertificate(device_id, key_hash, serial, made.not_after_ms)
        )
        if not kept:
            raise refuse(  # the certificate goes nowhere
                Code.FORBIDDEN,
                "This device was revoked or got another key while it paired: open pairing again "
                "on the hub's status page.",
            )

    async def _issue(self, csr: str, device_id: str) -> DeviceCertificate:
        return await asyncio.to_thread(
            self._authority.issue_device,
            csr,
            device_id,
            self._gate.clock.wall_ms(),
            self._gate.shop.device_certificate_days * DAY_MS,
        )

    def _reply(
        self,
        paired: Paired,
        host: str,
        certificate: DeviceCertificate | None,
        password: str | None,
    ) -> PairReply:
        return PairReply(
            device_id=paired.device_id,
            name=paired.name,
            kind=paired.kind,
            store=self._gate.shop.store,
            auth=DeviceAuth(paired.auth),
            ca=self._authority.bundle_pem().decode(),
            certificate=certificate.certificate_pem if certificate else None,
            username=paired.device_id if password else None,
            password=password,
            mqtt=MqttAddress(
                host=host or self._addresses.host(),
                password_port=self._addresses.mqtt_password_port(),
                mtls_port=self._addresses.mqtt_mtls_port(),
            ),
            contract=(CONTRACT_VERSION, CONTRACT_VERSION),
        )


def qr_svg(text: str) -> str:
    """A QR code (ISO/IEC 18004) as an SVG without size, black on white in dark mode too."""
    import segno

    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out,
        kind="svg",
        xmldecl=False,
        svgclass=None,
        lineclass=None,
        border=4,
        dark="#000",
        light="#fff",
        omitsize=True,
    )
    return out.getvalue().decode()


def _key_hash(csr: str | None) -> str:
    """Names the key of a request.  Errors: ``validation``."""
    try:
        key = read_request(csr or "").public_key
    except RequestRefused as error:
        raise refuse(Code.VALIDATION, f"csr: {error}") from error
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return sha256(der).hexdigest()


def _nonce_hash(nonce: str | None) -> str:
    """Names the pairing of a device without a key; empty: it can't be asked for again."""
    return sha256(f"nonce {nonce}".encode()).hexdigest() if nonce else ""


def _not_known_here(_serial: int) -> bool:
    """The database is asked afterwards, on the loop."""
    return False


def _wrong_code() -> Refused:
    return refuse(
        Code.FORBIDDEN,
        "This code is not open here: it is mistyped, used, too old, or had too many wrong tries. "
        "Open pairing again on the hub's status page.",
    )


def _revoked() -> Refused:
    return refuse(
        Code.FORBIDDEN,
        "The certificate was revoked or replaced, or this hub was restored from a copy that is "
        "older. Pair the device again (open pairing on the hub's status page).",
    )


def _renewal_problem(error: RenewalRefused | RequestRefused) -> Refused:
    match error:
        case RenewalBusy():
            return Refused(problem(Code.BUSY, str(error), retry_after_ms=60_000))
        case NonceRefused():
            return refuse(Code.CONFLICT, str(error))
        case RequestRefused():
            return refuse(Code.VALIDATION, f"csr: {error}")
        case _:
            return refuse(Code.FORBIDDEN, str(error))
