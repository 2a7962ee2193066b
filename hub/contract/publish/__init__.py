"""The published contract files, made from the models.

``device`` writes ``contract/asyncapi.yaml``, ``oms`` ``contract/oms.openapi.yaml`` and ``local``
``contract/hub.openapi.yaml``; ``files`` brings them to disk or compares, ``outline`` tells an
addition from a breach.  ``python -m hub.contract.publish --write`` after a change of the models.
"""
