"""What every processor's adapter has to do, as checks that anybody can run against theirs.

``python -m cloud_link.payments.conformance --help`` says how.
"""
