"""How the hub is: one true picture for people, and what needs one of them."""
