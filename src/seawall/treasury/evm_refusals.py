"""What nodes say when they take no transaction.  The rule: unknown words are an unknown outcome.

Each program has words of its own; whoever meets UNKNOWN resolves it by reading the chain.
"""

from typing import Final

from seawall.treasury.chain import SendOutcome

# The first that fits counts.
REFUSALS: Final[tuple[tuple[SendOutcome, tuple[str, ...]], ...]] = (
    (SendOutcome.ALREADY_KNOWN,
     ("already known", "already imported", "known transaction", "alreadyknown", "already exists",
      "already in pool", "already in mempool", "duplicate transaction")),
    (SendOutcome.SLOT_USED,
     ("nonce too low", "nonce is too low", "oldnonce", "old nonce", "nonce already used",
      "invalid nonce; got")),
    (SendOutcome.SLOT_EARLY,
     ("nonce too high", "nonce is too high", "noncegap", "nonce gap", "nonce_gap")),
    (SendOutcome.UNDERPRICED,
     ("underpriced", "feetoolow", "fee too low", "less than block base fee", "gas price too low",
      "gas price below", "below configured minimum", "fee cap less than", "feecap", "not enough to",
      "max fee per gas less", "txpool is full", "pool is full", "pool limit", "below minimum")),
    (SendOutcome.INSUFFICIENT_FUNDS,
     ("insufficient funds", "insufficientfunds", "insufficient balance", "exceeds account balance",
      "exceeds the balance")),
    (SendOutcome.REFUSED,
     ("intrinsic gas", "exceeds block gas limit", "gas limit too", "invalid chain", "chain id",
      "invalid sender", "invalid signature", "rlp", "replay-protected", "failed to decode",
      "oversized data", "type not supported", "tip above fee", "tip higher than",
      "priority fee per gas higher", "max priority fee")),
)  # fmt: skip


def classify(message: str) -> SendOutcome:
    """Return what a node's refusal means; words that nobody knows are UNKNOWN."""
    text = message.lower()
    for outcome, phrases in REFUSALS:
        if any(phrase in text for phrase in phrases):
            return outcome
    return SendOutcome.UNKNOWN
