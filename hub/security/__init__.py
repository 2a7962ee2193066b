"""Keys, certificates, PINs, passwords, pairing codes and web sessions.

Everything here is a plain synchronous function or object.  Nothing touches the database: what was
revoked, who a PIN belongs to and which sessions live are passed in by the caller, whose database
is the authority.  Time comes as ``now_ms`` or a ``Clock``; codes and nonces come from
``Randomness``; private keys are made by ``cryptography`` itself.
"""
