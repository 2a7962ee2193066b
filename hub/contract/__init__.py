"""Every message that crosses a boundary of the hub, as frozen pydantic models.

``base`` holds the field types, ``problems`` the errors, ``envelope`` what wraps a message on the
wire, one module per service its commands, ``registry`` the table of all operations, ``events`` what
happened, ``oms`` the cloud's side, ``local`` the hub's own HTTP API.  The published files in
``contract/`` are generated from here.
"""
