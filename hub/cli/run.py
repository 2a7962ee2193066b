"""``store-hub run``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from hub.cli.common import config_option, fail, load_settings

if TYPE_CHECKING:
    from hub.app.hub import Hub


@click.command(
    "run",
    short_help="Run the hub until it is told to stop.",
    help="""Run the hub until SIGTERM or Ctrl-C.

It starts its own MQTT broker (mosquitto), serves devices, the status page and the link to the
cloud, and keeps everything in paths.state. Under systemd it reports readiness and answers the
watchdog.

When it is ready it prints one JSON line on standard output: the page's address, the ports, and
(on a terminal, or with --show-code) a one-time code for the technician's page.
""",
)
@config_option
@click.option(
    "--show-code",
    is_flag=True,
    help="Print a one-time technician's code even when the output is no terminal.",
)
def command(show_code: bool) -> None:
    import asyncio
    import json

    from hub.app.founding import RestoreUnfinished, StateInUse, WrongStore
    from hub.app.service import serve
    from hub.clock import SystemClock
    from hub.logs import set_up
    from hub.mqtt.config import BadPlan, BrokerMissing
    from hub.security.errors import SecurityError
    from hub.storage.errors import DatabaseRefused

    loaded = load_settings()
    settings = loaded.settings
    logging = set_up(
        settings.log,
        clock=SystemClock(),
        secrets=loaded.secrets(),
        store=settings.store.id,
    )

    def ready(hub: Hub) -> None:
        line: dict[str, object] = {
            "ready": True,
            "store": settings.store.id,
            "url": f"https://{hub.parts.host()}:{hub.web.port}/",
            "https_port": hub.web.port,
            "mqtt_password_port": hub.messaging.ports.password,
            "mqtt_mtls_port": hub.messaging.ports.mtls,
            "ca_fingerprint": hub.authority.fingerprint,
        }
        if show_code or sys.stdout.isatty():
            line["technician_code"] = hub.web.technician.open()
        click.echo(json.dumps(line))
        sys.stdout.flush()

    try:
        code = asyncio.run(serve(settings, logging.recent, ready, loaded=loaded))
    except (StateInUse, WrongStore, RestoreUnfinished, DatabaseRefused) as error:
        fail(str(error))
    except (BrokerMissing, BadPlan) as error:
        fail(str(error))
    except SecurityError as error:
        fail(str(error))
    except PermissionError as error:
        fail(
            f"{error.strerror}: {error.filename}",
            next_step="run as the user that owns paths.state and paths.run, or change them",
        )
    except OSError as error:
        fail(f"the hub can't start: {error}", next_step="free the port or the path it names")
    finally:
        logging.close()
    if code:
        raise SystemExit(code)
