"""The vocabulary: what the exchange is about, without behaviour."""
