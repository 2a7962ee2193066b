"""All reads of the technician's pages: where they are asked, what with, and what comes back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from hub.contract.base import Incoming, Outgoing
from hub.contract.pages import (
    cloud,
    devices,
    history,
    house,
    orders,
    payments,
    printing,
    sales,
    stock,
)

BASE: Final = "/api/1"
_IN_PATH = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class PageRead:
    """One read.  The fields of ``query`` that ``path`` names stand in it, the others behind the
    question mark.  Without ``reply`` a file comes back: ``media`` is its type."""

    path: str
    summary: str
    query: type[Incoming]
    reply: type[Outgoing] | None
    may_be_missing: bool = False
    media: str = "application/zip"

    @property
    def in_path(self) -> tuple[str, ...]:
        """Names of the fields in the path."""
        return tuple(_IN_PATH.findall(self.path))


READS: Final = (
    PageRead(f"{BASE}/devices", "Devices", devices.DevicesQuery, devices.DevicesPage),
    PageRead(
        f"{BASE}/devices/{{device_id}}",
        "One device",
        devices.DeviceQuery,
        devices.DevicePage,
        may_be_missing=True,
    ),
    PageRead(
        f"{BASE}/devices/{{device_id}}/traffic",
        "What a device said lately",
        devices.TrafficQuery,
        devices.Traffic,
    ),
    PageRead(f"{BASE}/products", "Find products", stock.ProductsQuery, stock.ProductsPage),
    PageRead(
        f"{BASE}/products/one",
        "One product's stock",
        stock.ProductQuery,
        stock.ProductPage,
        may_be_missing=True,
    ),
    PageRead(
        f"{BASE}/products/ledger",
        "One product's movements",
        stock.LedgerQuery,
        stock.LedgerPage,
        may_be_missing=True,
    ),
    PageRead(f"{BASE}/counts", "What is to be counted", stock.CountsQuery, stock.CountsPage),
    PageRead(f"{BASE}/days", "Business days", sales.DaysQuery, sales.DaysPage),
    PageRead(f"{BASE}/sales", "Sales", sales.SalesQuery, sales.SalesPage),
    PageRead(
        f"{BASE}/sales/{{sale_id}}",
        "One sale whole",
        sales.SaleQuery,
        sales.SaleWhole,
        may_be_missing=True,
    ),
    PageRead(
        f"{BASE}/sales/{{sale_id}}/receipt",
        "A sale's receipt as a page of HTML",
        printing.ReceiptQuery,
        None,
        may_be_missing=True,
        media="text/html",
    ),
    PageRead(
        f"{BASE}/peripherals",
        "What hangs on the box",
        printing.PeripheralsQuery,
        printing.PeripheralsPage,
    ),
    PageRead(f"{BASE}/printing", "What is printed", printing.PrintingQuery, printing.PrintingPage),
    PageRead(f"{BASE}/printing/ended", "What was printed", printing.EndedQuery, printing.EndedPage),
    PageRead(
        f"{BASE}/printing/{{job_id}}",
        "One print job",
        printing.JobQuery,
        printing.JobWhole,
        may_be_missing=True,
    ),
    PageRead(
        f"{BASE}/printing/{{job_id}}/picture",
        "A print job's document as a picture",
        printing.PictureQuery,
        None,
        may_be_missing=True,
        media="image/png",
    ),
    PageRead(f"{BASE}/payments", "Card payments", payments.PaymentsQuery, payments.PaymentsPage),
    PageRead(
        f"{BASE}/payments/all",
        "All card payments",
        payments.AllPaymentsQuery,
        payments.AllPaymentsPage,
    ),
    PageRead(
        f"{BASE}/payments/{{payment_id}}",
        "One card payment",
        payments.PaymentQuery,
        payments.PaymentWhole,
        may_be_missing=True,
    ),
    PageRead(f"{BASE}/orders", "Online orders", orders.OrdersQuery, orders.OrdersPage),
    PageRead(
        f"{BASE}/orders/{{order_id}}",
        "One order",
        orders.OrderQuery,
        orders.OrderOnPage,
        may_be_missing=True,
    ),
    PageRead(f"{BASE}/baskets", "Live baskets", sales.BasketsQuery, sales.BasketsPage),
    PageRead(
        f"{BASE}/baskets/{{basket_id}}",
        "One basket",
        sales.BasketQuery,
        sales.BasketWhole,
        may_be_missing=True,
    ),
    PageRead(f"{BASE}/cloud", "The link to the cloud", cloud.CloudQuery, cloud.CloudPage),
    PageRead(f"{BASE}/cloud/events", "Events", cloud.EventsQuery, cloud.EventsPage),
    PageRead(
        f"{BASE}/cloud/events/{{outbox_id}}",
        "One event",
        cloud.EventQuery,
        cloud.EventWhole,
        may_be_missing=True,
    ),
    PageRead(f"{BASE}/cloud/parked", "Parked events", cloud.ParkedQuery, cloud.ParkedPage),
    PageRead(
        f"{BASE}/cloud/commands", "The cloud's commands", cloud.CommandsQuery, cloud.CommandsPage
    ),
    PageRead(
        f"{BASE}/history/link",
        "The link to the cloud, hour by hour",
        history.LinkHistoryQuery,
        history.LinkHistory,
    ),
    PageRead(
        f"{BASE}/history/speed",
        "How fast the hub answered",
        history.SpeedHistoryQuery,
        history.SpeedHistory,
    ),
    PageRead(
        f"{BASE}/history/sales",
        "Sales per hour",
        history.SalesHistoryQuery,
        history.SalesHistory,
    ),
    PageRead(f"{BASE}/outages", "Outages", history.OutagesQuery, history.OutagesPage),
    PageRead(
        f"{BASE}/outages/{{outage_id}}",
        "The report about one outage",
        history.OutageQuery,
        history.OutageReport,
        may_be_missing=True,
    ),
    PageRead(f"{BASE}/logs", "The log", house.LogsQuery, house.LogsPage),
    PageRead(f"{BASE}/settings", "The settings", house.SettingsQuery, house.SettingsPage),
    PageRead(
        f"{BASE}/support/preview",
        "Make a support bundle, and show it",
        house.PreviewQuery,
        house.SupportPreview,
    ),
    PageRead(
        f"{BASE}/support/bundle",
        "A support bundle as a file",
        house.SupportQuery,
        None,
        may_be_missing=True,
    ),
)
ROOMS: Final = tuple(dict.fromkeys(read.path.split("/")[3] for read in READS))
"""First words of the paths, where no operation may be looked for."""
