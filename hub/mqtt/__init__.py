"""The broker and the hub's own session with it: the only room of the hub that knows MQTT."""
