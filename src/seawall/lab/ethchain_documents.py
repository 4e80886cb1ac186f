"""Blocks, transactions and receipts as JSON-RPC writes them.  The rule: all numbers are in hex."""

from typing import Final

from eth.abc import BlockHeaderAPI, ReceiptAPI, SignedTransactionAPI
from eth_typing import Address

from seawall.lab.ethchain_store import Document

_EMPTY_BLOOM: Final = "0x" + "00" * 256


def hexed(data: bytes) -> str:
    return "0x" + bytes(data).hex()


def number_of(block: Document) -> int:
    return int(block["number"], 16)


def block_document(header: BlockHeaderAPI, tx_ids: list[str]) -> Document:
    return {
        "number": hex(header.block_number),
        "hash": hexed(header.hash),
        "parentHash": hexed(header.parent_hash),
        "nonce": hexed(header.nonce),
        "sha3Uncles": hexed(header.uncles_hash),
        "logsBloom": hexed(header.bloom.to_bytes(256, "big")),
        "transactionsRoot": hexed(header.transaction_root),
        "stateRoot": hexed(header.state_root),
        "receiptsRoot": hexed(header.receipt_root),
        "miner": hexed(header.coinbase),
        "mixHash": hexed(header.mix_hash),
        "difficulty": hex(header.difficulty),
        "totalDifficulty": "0x0",
        "extraData": hexed(header.extra_data),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.timestamp),
        "baseFeePerGas": hex(header.base_fee_per_gas or 0),
        "withdrawalsRoot": hexed(header.withdrawals_root or b""),
        "blobGasUsed": hex(header.blob_gas_used or 0),
        "excessBlobGas": hex(header.excess_blob_gas or 0),
        "parentBeaconBlockRoot": hexed(header.parent_beacon_block_root or b""),
        "transactions": tx_ids,
        "uncles": [],
        "withdrawals": [],
    }


def transaction_document(
    transaction: SignedTransactionAPI,
    sender: Address,
    header: BlockHeaderAPI | None = None,
    place: int = 0,
) -> Document:
    """Return a transaction; without a header it waits in the pool."""
    typed = int(getattr(transaction, "type_id", None) or 0)
    most, tip = transaction.max_fee_per_gas, transaction.max_priority_fee_per_gas
    price = most if header is None else min(most, (header.base_fee_per_gas or 0) + tip)
    document: Document = {
        "hash": hexed(transaction.hash),
        "type": hex(typed),
        "chainId": None if transaction.chain_id is None else hex(transaction.chain_id),
        "nonce": hex(transaction.nonce),
        "from": hexed(sender),
        "to": hexed(transaction.to) if transaction.to else None,
        "value": hex(transaction.value),
        "gas": hex(transaction.gas),
        "gasPrice": hex(price),
        "input": hexed(transaction.data),
        "r": hex(transaction.r),
        "s": hex(transaction.s),
        "v": hex(transaction.y_parity if typed else getattr(transaction, "v", 0)),
        "blockHash": None if header is None else hexed(header.hash),
        "blockNumber": None if header is None else hex(header.block_number),
        "transactionIndex": None if header is None else hex(place),
    }
    if typed == 2:
        document["maxFeePerGas"] = hex(most)
        document["maxPriorityFeePerGas"] = hex(tip)
    if typed:
        document["yParity"] = hex(transaction.y_parity)
        document["accessList"] = [
            {"address": hexed(account), "storageKeys": [f"0x{key:064x}" for key in keys]}
            for account, keys in transaction.access_list
        ]
    return document


def receipt_document(
    body: Document, receipt: ReceiptAPI, used_before: int, logs_before: int, created: bytes | None
) -> Document:
    """Return a mined transaction's receipt; the gas before it in its block is taken off."""
    where = {
        "transactionHash": body["hash"],
        "transactionIndex": body["transactionIndex"],
        "blockHash": body["blockHash"],
        "blockNumber": body["blockNumber"],
    }
    logs = [
        {
            **where,
            "address": hexed(log.address),
            "topics": [f"0x{topic:064x}" for topic in log.topics],
            "data": hexed(log.data),
            "logIndex": hex(logs_before + place),
            "removed": False,
        }
        for place, log in enumerate(receipt.logs)
    ]
    return {
        **where,
        "type": body["type"],
        "from": body["from"],
        "to": body["to"],
        "status": "0x1" if receipt.state_root == b"\x01" else "0x0",
        "gasUsed": hex(receipt.gas_used - used_before),
        "cumulativeGasUsed": hex(receipt.gas_used),
        "effectiveGasPrice": body["gasPrice"],
        "contractAddress": None if created is None else hexed(created),
        "logs": logs,
        "logsBloom": hexed(receipt.bloom.to_bytes(256, "big")) if receipt.bloom else _EMPTY_BLOOM,
    }
