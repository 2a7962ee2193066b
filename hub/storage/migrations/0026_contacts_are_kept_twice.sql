-- The second keeper let go of what was stored; of what may be owed it gets the contact alone.
UPDATE payments SET mirrored = 0
WHERE state IN ('authorised', 'expired', 'lost', 'manual', 'recovery')
AND EXISTS (SELECT 1 FROM payment_contacts c WHERE c.payment = payments.id);
