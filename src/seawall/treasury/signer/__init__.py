"""The signer: a process of its own that holds the keys and answers on one local socket."""
