"""The projector's bookkeeping out of journal lines. Imports settlement.core and the store's schema."""
