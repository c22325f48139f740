"""An exported history (docs/formats/history.md), checked without executing rules."""

import json

from bcs import Reader, Refused, decode
from ledger import (
    Certificate, GrowingLog, Header, Receipt, ValidatorSet, chain_id, domain_hash,
    genesis_validators, leaf_hash, read_validators, split_transaction, state_leaf, tree_root,
    verify_certificate, verify_transaction,
)
import bcs

MAGIC = b"cets-history-v1\n"
FRAME_BYTES_MAX = 64 * 1024 * 1024
GENESIS, BLOCK, RECORDS, END = range(4)
# Where the payload of a body begins, and the rule whose order is a new validator set.
SET_VALIDATORS = 6


def frames(path):
    with open(path, "rb") as file:
        if file.read(16) != MAGIC:
            raise Refused("the file is no history")
        number = 0
        while length := file.read(4):
            length = int.from_bytes(length, "big")
            body = file.read(length)
            if length > FRAME_BYTES_MAX or len(body) != length:
                raise Refused(f"frame {number} is cut off")
            yield number, body
            number += 1


def read_frame(number, body):
    reader = Reader(body, f"frame {number}")
    kind = reader.variant(4)
    if kind == GENESIS:
        value = reader.blob()
    elif kind == BLOCK:
        block, certificate = reader.blob(), reader.blob()
        value = block, certificate, reader.list(Reader.blob), reader.list(Reader.blob)
    elif kind == RECORDS:
        value = reader.list(lambda r: (r.blob(), r.option(Reader.u64), r.blob()))
    else:
        value = reader.u64()
    reader.end()
    return kind, value


class Audit:
    def __init__(self, genesis):
        self.chain, self.validators = chain_id(genesis), genesis_validators(genesis)
        self.log, self.header, self.leaves = GrowingLog(), None, {}
        self.transactions, self.key = 0, b""
        self.last_set = None

    def block(self, block, certificate, receipts, events):
        height = self.header.height + 1 if self.header else 1
        place = f"block {height}"
        reader = Reader(block, place)
        header, transactions = Header(reader), reader.list(Reader.blob)
        reader.end()
        parent = self.header.id if self.header else bytes(32)
        if header.height != height or header.parent != parent:
            raise Refused(f"{place} does not follow the block before")
        verify_certificate(
            header, decode(certificate, Certificate, f"{place}, certificate"), self.chain,
            self.validators,
        )
        carried = b"".join(len(one).to_bytes(4, "big") + one for one in transactions)
        if domain_hash(b"block-body", carried) != header.transactions:
            raise Refused(f"{place} has other transactions than its header")
        if not len(transactions) == len(receipts) == len(events):
            raise Refused(f"{place} has more or fewer receipts than transactions")
        orders = []
        for position, (one, bytes_, record) in enumerate(zip(transactions, receipts, events)):
            at = f"{place}, transaction {position}"
            receipt = decode(bytes_, Receipt, at)
            body = verify_transaction(one, receipt, self.chain, at)
            if (receipt.height, receipt.position) != (height, position):
                raise Refused(f"{at}: the receipt is of another place")
            if domain_hash(b"events", record) != receipt.events:
                raise Refused(f"{at}: the event record is not that of the receipt")
            self.log.append(leaf_hash(b"\0" + bcs.blob(one) + bytes_))
            orders.append(body[16 + 8 + 1 + 32 * body[24] + 8 + 8 :])
        if (self.log.size, self.log.root()) != (header.log_size, header.log_root):
            raise Refused(f"{place}: the log has another size or root than the header says")
        self.log.append(leaf_hash(b"\1" + header.bytes))
        self.transactions += len(transactions)
        self.header = header
        if header.next_validators != self.validators.digest():
            self.validators = self.next_set(orders, place)

    def next_set(self, orders, place):
        """The new set: the order of a transaction of this block whose digest the header carries."""
        for order in orders:
            reader = Reader(order, place)
            if reader.uleb() != SET_VALIDATORS:
                continue
            candidate = ValidatorSet(read_validators(reader))
            reader.end()
            if candidate.digest() == self.header.next_validators:
                return candidate
        raise Refused(f"{place} announces validators that none of its orders names")

    def records(self, records):
        for key, slot, value in records:
            if key <= self.key:
                raise Refused(f"record {key.hex()} is out of order")
            self.key = key
            if (slot is None) != (key[0] >= 64):
                raise Refused(f"record {key.hex()} has a slot or lacks one")
            if slot is not None:
                if slot in self.leaves:
                    raise Refused(f"record {key.hex()}: slot {slot} is taken")
                self.leaves[slot] = state_leaf(key, value)

    def end(self, height):
        if self.header is None or height != self.header.height:
            raise Refused(f"the history says that it ends at block {height}")
        if tree_root(self.leaves) != self.header.state_root:
            raise Refused(f"the records do not have the state root of block {height}")


def verify_history(path):
    audit, ended = None, False
    for number, body in frames(path):
        kind, value = read_frame(number, body)
        if (number == 0) != (kind == GENESIS) or ended:
            raise Refused(f"frame {number} is out of place")
        if kind == GENESIS:
            audit = Audit(json.loads(value))
        elif kind == BLOCK:
            audit.block(*value)
        elif kind == RECORDS:
            audit.records(value)
        else:
            audit.end(value)
            ended = True
    if not ended:
        raise Refused("the history has no end: a block may have been cut off")
    return [f"{audit.header.height} blocks, {audit.transactions} transactions"]
