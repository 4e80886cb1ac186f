"""Chains, deposits, payouts, signer and reconciliation: where money meets the outside."""
