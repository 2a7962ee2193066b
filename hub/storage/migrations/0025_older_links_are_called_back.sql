-- Links that may have reached a customer, sent by versions that called none back: what isn't owed
-- any more by now, and what asks for another amount than is owed, is called back once.
UPDATE payment_links SET
    recall = 'wanted',
    state = CASE state WHEN 'dropped' THEN 'unknown' ELSE state END,
    tries = 0,
    due_budget_ms = 0
WHERE recall = '' AND sent_at_ms IS NOT NULL
AND (
    state IN ('wanted', 'sending', 'unknown', 'sent')
    OR state = 'refused' AND tries >= 50                  -- nobody ever said whether it was sent
    OR state = 'dropped' AND psp_ref = '' AND reason IN (
        'it isn''t owed any more', 'the contact was forgotten', 'its sale isn''t here'
    )
)
AND EXISTS (
    SELECT 1 FROM payments p WHERE p.id = payment_links.payment
    AND (
        p.void_asked = 1
        OR p.state NOT IN (
            'intent', 'at_terminal', 'unknown', 'stored', 'forwarding', 'forward_unknown',
            'forwarded', 'authorised', 'declined', 'retry_wait', 'expired', 'lost', 'manual',
            'recovery'
        )
        OR p.state = 'recovery' AND payment_links.state <> 'dropped'
        AND payment_links.amount_minor <> p.amount_minor - max(
            p.refunded_minor,
            (
                SELECT coalesce(sum(r.amount_minor), 0) FROM payment_refunds r
                WHERE r.payment = p.id
                AND (r.state <> 'refused' OR r.reason NOT LIKE 'given otherwise:%')
            )
        )
    )
);
