-- What is noted of payments for people to see to: also what went back twice, to the card and otherwise.
DROP INDEX audit_of_payments;
CREATE INDEX audit_of_payments ON audit (at_ms)
    WHERE action IN ('payment.two_refs', 'payment.refund_refused', 'payment.refund_given_twice');
