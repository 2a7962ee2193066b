"""Card payments: the states one goes through, what may be risked offline, what a decline means."""
