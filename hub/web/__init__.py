"""The hub's HTTPS server and admin socket: status page, pairing, renewal, administration.

Everything that changes something goes through the gate; nothing here knows SQL or MQTT.
"""
