"""The nightly maintenance of the whole stack."""
