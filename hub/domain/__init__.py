"""The rules of the shop as pure functions: no I/O, no clock, no settings.

Every module is about one subject (money, tax, stock, staff, …).  Functions take values and give
values; what they refuse they refuse with :class:`hub.domain.errors.DomainError`.
"""
