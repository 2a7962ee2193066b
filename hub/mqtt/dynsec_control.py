"""Changes the broker's accounts while it runs, over ``$CONTROL/dynamic-security/v1``.

Every call is idempotent: it first asks what is there and changes only what differs, because any
edit of an account disconnects its client.  Deleting one cuts a live device off at once; a device
with a certificate must be put on the revocation list too, or it may connect again (without any
right, but it may).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from typing import Any, Final, Protocol

from hub.mqtt.dynsec import DeviceAccess, device_role, device_role_name
from hub.mqtt.topics import Topics, is_device_id

CONTROL_TOPIC: Final = "$CONTROL/dynamic-security/v1"
RESPONSE_TOPIC: Final = "$CONTROL/dynamic-security/v1/response"
RESPONSE_TIMEOUT_S: Final = 5.0

_log = logging.getLogger("hub.mqtt.dynsec")


class ControlFailed(Exception):
    """The broker refused a change of its accounts, or didn't answer in time.

    Safe to repeat: every operation here is idempotent.  If it persists, restart the broker; its
    accounts are then written anew from the hub's database.
    """


class ControlWire(Protocol):
    """What is needed of the hub's session: see :class:`hub.mqtt.session.HubSession`."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 0) -> None: ...


class DynsecControl:
    """The client of the plugin's control topic.

    Subscribe the session to :data:`RESPONSE_TOPIC` and hand its messages to
    :meth:`handle_response`.
    """

    def __init__(
        self, topics: Topics, wire: ControlWire, timeout_s: float = RESPONSE_TIMEOUT_S
    ) -> None:
        self._topics = topics
        self._wire = wire
        self._timeout_s = timeout_s
        self._numbers = itertools.count(1)
        self._one_at_a_time = asyncio.Lock()
        self._one_change_at_a_time = asyncio.Lock()
        self._waiting: tuple[str, asyncio.Future[list[dict[str, Any]]]] | None = None

    async def ensure_device(self, access: DeviceAccess, password: str | None = None) -> None:
        """Make the broker know this device with exactly its rights.

        A device that is already known and unchanged is left alone (and stays connected).
        ``password`` in clear is needed when a password device is new to the running broker, or to
        change its password; the plugin takes no hash while it runs.  Raises
        :class:`ControlFailed`; ``ValueError`` when the password is missing.
        """
        async with self._one_change_at_a_time:
            await self._ensure(access, password)

    async def _ensure(self, access: DeviceAccess, password: str | None) -> None:
        role = device_role(self._topics, access.device_id)
        client, known_role = await self._look(access.device_id)
        if client is not None and client.get("textname") != access.auth:
            await self._run([{"command": "deleteClient", "username": access.device_id}])
            client = None
        commands: list[dict[str, Any]] = []
        if known_role is None:
            commands.append({"command": "createRole", **role})
        elif _acl_set(known_role) != _acl_set(role):
            commands.append({"command": "modifyRole", **role})
        if client is None:
            commands.append(_create_client(access, password))
        else:
            commands += _mend_client(access, client, password)
        if commands:
            await self._run(commands)

    async def remove_device(self, device_id: str) -> bool:
        """Take a device's account away and cut its connection.  False if it had none."""
        if not is_device_id(device_id):
            raise ValueError(f"device id {device_id!r}: not a device of this shop")
        async with self._one_change_at_a_time:
            return await self._remove(device_id)

    async def _remove(self, device_id: str) -> bool:
        client, role = await self._look(device_id)
        commands: list[dict[str, Any]] = []
        if client is not None:
            commands.append({"command": "deleteClient", "username": device_id})
        if role is not None:
            commands.append({"command": "deleteRole", "rolename": device_role_name(device_id)})
        if commands:
            await self._run(commands)
        return client is not None

    async def device_ids(self) -> frozenset[str]:
        """The ids of all devices that the broker knows now."""
        (answer,) = await self._run([{"command": "listClients", "count": -1, "offset": 0}])
        names = answer.get("data", {}).get("clients", [])
        return frozenset(name for name in names if isinstance(name, str) and is_device_id(name))

    def handle_response(self, payload: bytes) -> None:
        """Take a message of :data:`RESPONSE_TOPIC`; answers nobody waits for are dropped."""
        try:
            responses = json.loads(payload)["responses"]
            token = responses[0].get("correlationData")
        except (ValueError, LookupError, TypeError, AttributeError):
            _log.warning("unreadable answer on %s: %.200r", RESPONSE_TOPIC, payload)
            return
        if self._waiting is not None and self._waiting[0] == token:
            future = self._waiting[1]
            if not future.done():
                future.set_result(responses)
            return
        _log.debug("an answer on %s that nobody waits for", RESPONSE_TOPIC)

    async def _look(self, device_id: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """The client and the role of this device as the broker has them now."""
        client, role = await self._ask(
            [
                {"command": "getClient", "username": device_id},
                {"command": "getRole", "rolename": device_role_name(device_id)},
            ]
        )
        return (
            _found(client, "client", "Client not found"),
            _found(role, "role", "Role not found"),
        )

    async def _run(self, commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
        responses = await self._ask(commands)
        for response in responses:
            if "error" in response:
                raise ControlFailed(
                    f"the broker refused {response.get('command')}: {response['error']}"
                )
        return responses

    async def _ask(self, commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
        names = ", ".join(str(command["command"]) for command in commands)
        try:
            async with asyncio.timeout(self._timeout_s), self._one_at_a_time:
                token = f"hub-{next(self._numbers)}"
                future: asyncio.Future[list[dict[str, Any]]]
                future = asyncio.get_running_loop().create_future()
                self._waiting = (token, future)
                try:
                    body = {"commands": [{**c, "correlationData": token} for c in commands]}
                    self._wire.publish(CONTROL_TOPIC, json.dumps(body).encode(), qos=1)
                    responses = await future
                finally:
                    self._waiting = None
        except TimeoutError as error:
            raise ControlFailed(
                f"the broker did not answer {names} within {self._timeout_s:g} s"
            ) from error
        if len(responses) != len(commands):
            raise ControlFailed(f"the broker answered {len(responses)} of {names}")
        return responses


def _create_client(access: DeviceAccess, password: str | None) -> dict[str, Any]:
    command: dict[str, Any] = {
        "command": "createClient",
        "username": access.device_id,
        "textname": access.auth,
        "roles": [{"rolename": device_role_name(access.device_id)}],
    }
    if access.auth == "password":
        if not password:
            raise ValueError(
                f"device {access.device_id}: a running broker needs its password to create it"
            )
        command["password"] = password
    return command


def _mend_client(
    access: DeviceAccess, client: dict[str, Any], password: str | None
) -> list[dict[str, Any]]:
    commands: list[dict[str, Any]] = []
    role = device_role_name(access.device_id)
    if [entry.get("rolename") for entry in client.get("roles", [])] != [role]:
        roles = [{"rolename": role}]
        commands.append({"command": "modifyClient", "username": access.device_id, "roles": roles})
    if access.auth == "password" and password:
        commands.append(
            {"command": "setClientPassword", "username": access.device_id, "password": password}
        )
    if client.get("disabled"):
        commands.append({"command": "enableClient", "username": access.device_id})
    return commands


def _found(response: dict[str, Any], what: str, absent: str) -> dict[str, Any] | None:
    if "error" in response:
        if response["error"] == absent:
            return None
        raise ControlFailed(f"the broker refused {response.get('command')}: {response['error']}")
    found = response.get("data", {}).get(what)
    if not isinstance(found, dict):
        raise ControlFailed(f"the broker's answer to {response.get('command')} has no {what}")
    return found


def _acl_set(role: dict[str, Any]) -> frozenset[tuple[str, str, bool]]:
    return frozenset(
        (str(acl["acltype"]), str(acl["topic"]), bool(acl["allow"])) for acl in role.get("acls", ())
    )
