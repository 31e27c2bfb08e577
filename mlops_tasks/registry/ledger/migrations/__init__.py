"""The ledger's schema, one numbered step per module; a step that was released never changes."""
