-- What is noted of payments for people to see to, found among any number of other entries.
CREATE INDEX audit_of_payments ON audit (at_ms)
    WHERE action IN ('payment.two_refs', 'payment.refund_refused');
