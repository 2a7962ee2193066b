"""The table of all operations: what may be asked, what comes back, and through which doors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto

from hub.contract import (
    admin,
    basket,
    catalog,
    orders,
    payments,
    peripherals,
    printing,
    receivables,
    sale,
    scales,
    scans,
    settlement,
    staff,
    stock,
)
from hub.contract.base import Command, Nothing, Outgoing, Query
from hub.contract.pages import house


class Door(Flag):
    """Ways into the hub."""

    DEVICE = auto()
    ADMIN = auto()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its command, its result, and the doors it is offered at."""

    command: type[Command]
    result: type[Outgoing]
    doors: Door = Door.DEVICE

    @property
    def address(self) -> tuple[str, str]:
        """``(service, operation)``, as in the topic ``req/{service}/{operation}``."""
        return (self.command.service, self.command.operation)

    @property
    def is_query(self) -> bool:
        """True when it changes nothing and needs no idempotency key."""
        return issubclass(self.command, Query)


_BOTH = Door.DEVICE | Door.ADMIN
_OPERATIONS = (
    Operation(admin.HubInfo, admin.HubInfoView, _BOTH),
    Operation(admin.TrustClock, Nothing, Door.ADMIN),
    Operation(staff.SignIn, staff.SignedIn),
    Operation(staff.SignOut, Nothing),
    Operation(staff.WhoAmI, staff.SignedIn),
    Operation(admin.ClearLockout, Nothing, _BOTH),
    Operation(staff.RequestApproval, staff.Approval),
    Operation(staff.DecideApproval, staff.Approval),
    Operation(staff.ListApprovals, staff.Approvals),
    Operation(catalog.LookUp, catalog.ProductView, _BOTH),
    Operation(catalog.Search, catalog.SearchResult, _BOTH),
    Operation(basket.OpenBasket, basket.BasketView),
    Operation(basket.AddLine, basket.BasketView),
    Operation(basket.ChangeLine, basket.BasketView),
    Operation(basket.RemoveLine, basket.BasketView),
    Operation(basket.DiscountLine, basket.BasketView),
    Operation(basket.OverridePrice, basket.BasketView),
    Operation(basket.SuspendBasket, basket.BasketView),
    Operation(basket.ResumeBasket, basket.BasketView),
    Operation(basket.AbandonBasket, basket.BasketView),
    Operation(basket.GetBasket, basket.BasketView),
    Operation(basket.ListBaskets, basket.Baskets, _BOTH),
    Operation(sale.CommitSale, sale.SaleDone),
    Operation(sale.VoidSale, sale.SaleVoided),
    Operation(sale.GetSale, sale.SaleView, _BOTH),
    Operation(sale.ListSales, sale.Sales, _BOTH),
    Operation(sale.CommitReturn, sale.ReturnDone),
    Operation(payments.StartPayment, payments.PaymentView),
    Operation(payments.ReportPayment, payments.PaymentView),
    Operation(payments.AskBalance, payments.BalanceView),
    Operation(payments.GivePaymentUp, payments.PaymentView, _BOTH),
    Operation(payments.GetPayment, payments.PaymentView, _BOTH),
    Operation(payments.DecidePayment, payments.PaymentView, _BOTH),
    Operation(payments.CloseReceivable, payments.PaymentView, _BOTH),
    Operation(receivables.SetContact, payments.PaymentView, _BOTH),
    Operation(receivables.SendLink, payments.PaymentView, _BOTH),
    Operation(receivables.SettleLink, payments.PaymentView, _BOTH),
    Operation(receivables.SettleRefund, payments.PaymentView, _BOTH),
    Operation(payments.ListPayments, payments.Payments, _BOTH),
    Operation(payments.GetExposure, payments.ExposureView, _BOTH),
    Operation(settlement.ImportSettlement, settlement.SettlementImported, Door.ADMIN),
    Operation(settlement.Reconcile, settlement.Reconciliation, Door.ADMIN),
    Operation(stock.GetLevels, stock.Levels, _BOTH),
    Operation(stock.ReceiveStock, stock.StockBooked),
    Operation(stock.AdjustStock, stock.StockBooked),
    Operation(stock.OpenCount, stock.CountOpened),
    Operation(stock.CloseCount, stock.CountClosed),
    Operation(orders.ListOrders, orders.Orders, _BOTH),
    Operation(orders.GetOrder, orders.OrderWhole, _BOTH),
    Operation(printing.ListPrintJobs, printing.PrintJobs, _BOTH),
    Operation(printing.GetPrintJob, printing.PrintJobDetails, _BOTH),
    Operation(printing.SettlePrintJob, printing.PrintSettled, _BOTH),
    Operation(printing.Reprint, printing.PrintJobView, _BOTH),
    Operation(printing.PrintGiftReceipt, printing.PrintJobView, _BOTH),
    Operation(printing.PrintLabels, printing.LabelsQueued, _BOTH),
    Operation(printing.CancelPrintJob, printing.PrintJobView, _BOTH),
    Operation(printing.PrintTestPage, printing.PrintJobView, Door.ADMIN),
    Operation(printing.OpenDrawer, printing.DrawerOpening, _BOTH),
    Operation(admin.ListDevices, admin.Devices, Door.ADMIN),
    Operation(admin.RenameDevice, Nothing, Door.ADMIN),
    Operation(admin.RevokeDevice, Nothing, Door.ADMIN),
    Operation(admin.RetryParked, Nothing, Door.ADMIN),
    Operation(admin.ParkEvent, Nothing, Door.ADMIN),
    Operation(admin.GiveUpParked, Nothing, Door.ADMIN),
    Operation(house.SetLogLevel, Nothing, Door.ADMIN),
    Operation(peripherals.ListPeripherals, peripherals.PeripheralList, _BOTH),
    Operation(peripherals.ListDrivers, peripherals.DriverList, Door.ADMIN),
    Operation(peripherals.ConfigurePeripheral, Nothing, Door.ADMIN),
    Operation(peripherals.RemovePeripheral, Nothing, Door.ADMIN),
    Operation(peripherals.FindPeripherals, peripherals.FoundPeripherals, Door.ADMIN),
    Operation(peripherals.TryPeripheral, peripherals.Tried, Door.ADMIN),
    Operation(peripherals.ShowText, peripherals.Shown),
    Operation(scales.Weigh, scales.WeightView),
    Operation(scans.ResolveScan, scans.ScanResolved, _BOTH),
)
OPERATIONS: dict[tuple[str, str], Operation] = {row.address: row for row in _OPERATIONS}
BY_COMMAND: dict[type[Command], Operation] = {row.command: row for row in _OPERATIONS}
assert len(OPERATIONS) == len(_OPERATIONS) == len(BY_COMMAND), "two operations share an address"
