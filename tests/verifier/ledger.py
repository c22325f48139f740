"""Values of the ledger: hashes, genesis, blocks, entries, records (docs/formats)."""

import datetime
import hashlib

from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import bcs
from bcs import Reader, Refused, decode

ROLES = (
    "Ministry Registry Exchange CcerRegistry CcerExchange Settlement Province KeyEmittingEntity "
    "ProjectOwner Trader Auditor Government"
).split()
LETTERS = "MEE REG EXC CRG CEX STL PRV KEE PRO TRD AUD GOV".split()
RIGHTS = "Read Initiate Approve InitiateAndApprove".split()
PARAMETERS = (
    "OffsetCap IssueCap BlockTradeMin OffsetRegisteredFrom OffsetRegisteredUntil SurrenderDeadline "
    "SurrenderVintageMax SurrenderVintageMin CcerBlockTradeMin"
).split()
STATUSES = (
    "free, locked for trade, pledged, frozen, pending, surrendered, offset, cancelled, "
    "carried over, deducted"
).split(", ")
TABLES = {
    1: "ledger", 2: "accounts", 3: "units", 4: "supplies", 5: "projects", 6: "parameters",
    7: "validators", 8: "tasks", 9: "obligations", 10: "settlements", 11: "freezes",
    12: "holders", 13: "fund orders",
}


def domain_hash(domain, *parts):
    return blake3(b"cets/v1/" + domain + b"".join(parts)).digest()


def verify_signature(key, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# Genesis (blocks.md)


def days(text):
    return (datetime.date.fromisoformat(text) - datetime.date(1970, 1, 1)).days


def genesis_bytes(genesis):
    thresholds = ("operation", "administration", "transfer", "compliance")

    def validator(one):
        keys = bytes.fromhex(one["consensus_key"]) + bytes.fromhex(one["cosigner_key"])
        return bcs.text(one["name"]) + keys + bcs.little(one["power"], 8)

    def person(one):
        return bytes.fromhex(one["key"]) + bytes([RIGHTS.index(one["right"])])

    def account(one):
        return (
            bytes([ROLES.index(one["role"])])
            + bcs.text(one["name"])
            + bcs.option(one["credit_code"], bcs.text)
            + bcs.option(one["province"], lambda code: bytes([code]))
            + bcs.items(one["representatives"], person)
            + bytes(one["thresholds"][name] for name in thresholds)
        )

    def parameter(one):
        return (
            bytes([PARAMETERS.index(one["name"])])
            + bcs.option(one["year"], lambda year: bcs.little(year, 2))
            + bcs.little(days(one["valid_from"]), 4)
            + bcs.little(one["value"], 8)
            + bcs.text(one["article"])
        )

    return (
        bcs.text(genesis["network"])
        + bcs.little(genesis["time"], 8)
        + bcs.little(days(genesis["business_date"]), 4)
        + bytes([("civil_date", "by_order").index(genesis["clock"])])
        + bcs.little(genesis["block_interval_millis"], 4)
        + bcs.items(genesis["validators"], validator)
        + bcs.items(genesis["accounts"], account)
        + bcs.items(genesis["parameters"], parameter)
    )


def chain_id(genesis):
    return domain_hash(b"genesis", genesis_bytes(genesis))[:16]


# Validators, headers, certificates (blocks.md)


class ValidatorSet:
    """Validators sorted by consensus key."""

    def __init__(self, members):
        self.members = sorted(members, key=lambda member: member[1])
        self.by_address = {
            domain_hash(b"validator-address", member[1])[:20]: member for member in self.members
        }
        total = sum(member[3] for member in self.members)
        self.quorum = 2 * total // 3 + 1

    def encode(self):
        return bcs.items(
            self.members,
            lambda member: bcs.text(member[0]) + member[1] + member[2] + bcs.little(member[3], 8),
        )

    def digest(self):
        return domain_hash(b"validator-set", self.encode())


def read_validators(reader):
    return reader.list(lambda r: (r.text(), r.take(32), r.take(32), r.u64()))


def genesis_validators(genesis):
    return ValidatorSet(
        (
            one["name"],
            bytes.fromhex(one["consensus_key"]),
            bytes.fromhex(one["cosigner_key"]),
            one["power"],
        )
        for one in genesis["validators"]
    )


HEADER_FIELDS = (
    ("chain_id", 16), ("height", 8), ("time", 8), ("proposer", 20), ("parent", 32),
    ("transactions", 32), ("log_size", 8), ("log_root", 32), ("state_root", 32),
    ("next_validators", 32), ("parameters", 32),
)


class Header:
    def __init__(self, reader):
        start = reader.at
        for name, length in HEADER_FIELDS:
            part = reader.take(length)
            setattr(self, name, int.from_bytes(part, "little") if length == 8 else part)
        self.bytes = reader.data[start : reader.at]
        self.id = domain_hash(b"block-id", self.bytes)


class Certificate:
    def __init__(self, reader):
        self.height, self.round, self.block_id = reader.u64(), reader.u32(), reader.take(32)
        self.signatures = reader.list(lambda r: (r.take(20), r.take(64)))


def verify_certificate(header, certificate, chain, validators):
    """Checks a certificate against the validators of its height."""
    place = f"the certificate of height {header.height}"
    if header.chain_id != chain:
        raise Refused(f"the header of height {header.height} is of another chain")
    if certificate.height != header.height or certificate.block_id != header.id:
        raise Refused(f"{place} is of another block")
    message = (
        b"cets/v1/precommit" + chain + header.height.to_bytes(8, "big")
        + certificate.round.to_bytes(4, "big") + b"\1" + header.id
    )
    power, seen = 0, set()
    for address, signature in certificate.signatures:
        member = validators.by_address.get(address)
        if member is None:
            raise Refused(f"{place}: {address.hex()} is no validator")
        if address in seen:
            raise Refused(f"{place}: {member[0]} stands twice")
        seen.add(address)
        if not verify_signature(member[1], signature, message):
            raise Refused(f"{place}: the signature of {member[0]} is forged or damaged")
        power += member[3]
    if power < validators.quorum:
        raise Refused(f"{place} has power {power}, needs {validators.quorum}")


# Values (encoding.md)


def account_name(number):
    role, digits = number >> 56, number & (1 << 56) - 1
    code = f"CN-{LETTERS[role]}-{digits:010d}"
    letters = "".join(str(int(c, 36)) for c in code if c != "-")
    return f"{code}-{98 - int(letters + '00') % 97:02d}"


def read_instrument(reader):
    if reader.variant(2) == 0:
        return f"CEA-{reader.u16():04d}"
    code = reader.take(7).decode("ascii")
    return f"CCER-{code}-{reader.u16():04d}"


def read_range(reader):
    instrument, start, end = read_instrument(reader), reader.u64(), reader.u64()
    if not 0 < start < end:
        raise Refused(f"{reader.what}: a range is empty")
    return instrument, start, end


def read_place(reader):
    holder, status = reader.u64(), reader.variant(10)
    detail = None
    if status == 3:
        detail = reader.take(32)
    elif status in (5, 6):
        detail = reader.u16()
    return holder, status, detail


# Log (log-and-state.md)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf_hash(entry):
    return sha256(b"\0", entry)


def node_hash(left, right):
    return sha256(b"\1", left, right)


def log_root(hashes):
    """Root over leaf hashes, or over nodes of one level but the last."""
    if not hashes:
        return sha256()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(log_root(hashes[:split]), log_root(hashes[split:]))


class GrowingLog:
    """Appends leaf hashes and knows the root."""

    def __init__(self):
        self.size, self.peaks = 0, []

    def append(self, node):
        at = self.size
        while at & 1:
            node, at = node_hash(self.peaks.pop(), node), at >> 1
        self.peaks.append(node)
        self.size += 1

    def root(self):
        if not self.peaks:
            return sha256()
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = node_hash(peak, node)
        return node


def verify_path(leaf, index, size, path, root, place):
    if index >= size:
        raise Refused(f"{place}: position {index} is not in a log of {size} entries")
    node, i, last = leaf, index, size - 1
    for sibling in path:
        if last == 0:
            raise Refused(f"{place}: the path is too long")
        if i & 1 or i == last:
            node = node_hash(sibling, node)
            while not i & 1 and i:
                i, last = i >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        i, last = i >> 1, last >> 1
    if last != 0:
        raise Refused(f"{place}: the path is too short")
    if node != root:
        raise Refused(f"{place}: the path does not lead to the root")


def read_log_proof(reader):
    return reader.u64(), reader.u64(), reader.list(lambda r: r.take(32))


# Entries (transactions.md)


class Receipt:
    def __init__(self, reader):
        self.tx_id, self.height, self.position = reader.take(32), reader.u64(), reader.u32()
        self.code = None
        if reader.variant(2) == 1:
            self.code = reader.u16()
            self.facts = reader.take(len(reader.data) - reader.at - 32)
        self.events = reader.take(32)


def read_entry(data, place):
    """A header, or a transaction's bytes and its receipt."""
    reader = Reader(data, place)
    if reader.variant(2) == 1:
        value = Header(reader)
    else:
        value = reader.blob(), Receipt(reader)
    reader.end()
    return value


def split_transaction(transaction, tx_id, place):
    """Body, signers and signatures of a transaction whose identifier is known."""
    count = transaction[24] if len(transaction) > 24 else 0
    signers = [transaction[at : at + 32] for at in range(25, 25 + 32 * count, 32)]
    body = transaction[: len(transaction) - 1 - 64 * count]
    if not 1 <= count <= 16 or len(body) < 25 + 32 * count or transaction[len(body)] != count:
        raise Refused(f"{place}: the transaction has not one signature of each signer")
    if domain_hash(b"tx-id", body) != tx_id:
        raise Refused(f"{place}: the receipt is of another transaction")
    rest = transaction[len(body) + 1 :]
    return body, signers, [rest[at : at + 64] for at in range(0, len(rest), 64)]


def verify_transaction(transaction, receipt, chain, place):
    body, signers, signatures = split_transaction(transaction, receipt.tx_id, place)
    if body[:16] != chain:
        raise Refused(f"{place}: the transaction is of another chain")
    if any(one >= following for one, following in zip(signers, signers[1:])):
        raise Refused(f"{place}: the signers are not in ascending order")
    message = b"cets/v1/tx-signature" + receipt.tx_id
    for signer, signature in zip(signers, signatures):
        if not verify_signature(signer, signature, message):
            raise Refused(f"{place}: the signature of {signer.hex()} does not verify")
    return body


def unit_movements(events, place):
    """The movements of units in an event record; the event at its end is left alone."""
    reader = Reader(events, place)
    movements = reader.list(lambda r: (read_range(r), r.option(read_place), read_place(r)))
    reader.list(lambda r: (r.option(Reader.u64), r.option(Reader.u64), r.u64()))
    reader.rest()
    return movements


# State (log-and-state.md)


def derived(context):
    return blake3(b"", derive_key_context=context).digest()


LEAF_KEY, NODE_KEY = derived("cets/v1/state-leaf"), derived("cets/v1/state-node")


def state_leaf(key, value):
    return blake3(len(key).to_bytes(4, "big") + key + value, key=LEAF_KEY).digest()


def state_node(left, right):
    return blake3(left + right, key=NODE_KEY).digest()


def state_root(depth, top):
    return domain_hash(b"state-root", bytes([depth]), top)


def tree_root(leaves):
    """Root over leaves by slot."""
    depth = max(leaves, default=0).bit_length()
    level, empty = dict(leaves), bytes(32)
    for _ in range(depth):
        parents = {slot >> 1 for slot in level}
        level = {
            slot: state_node(level.get(2 * slot, empty), level.get(2 * slot + 1, empty))
            for slot in parents
        }
        empty = state_node(empty, empty)
    return state_root(depth, level.get(0, empty))


class Record:
    """A record inclusion."""

    def __init__(self, reader):
        self.key, self.value = reader.blob(), reader.blob()
        self.slot, self.depth = reader.u64(), reader.u8()
        self.path = reader.list(lambda r: r.take(32))

    def verify(self, header):
        table = TABLES.get(self.key[0] if self.key else None)
        if table is None:
            raise Refused(f"record {self.key.hex()} is of no table of the state")
        place = f"record {self.key.hex()} of table {table}, height {header.height}"
        if self.depth > 32 or len(self.path) != self.depth:
            raise Refused(f"{place}: the path does not fit the depth")
        node, position = state_leaf(self.key, self.value), self.slot
        for sibling in self.path:
            node = state_node(sibling, node) if position & 1 else state_node(node, sibling)
            position >>= 1
        if position != 0:
            raise Refused(f"{place}: the slot is outside the tree")
        if state_root(self.depth, node) != header.state_root:
            raise Refused(f"{place}: the path does not lead to the state root")
        return table

    def unit_range(self):
        """Instrument, start, end and place of a record of table 3."""
        place = f"record {self.key.hex()}"
        if self.key[0] != 3:
            raise Refused(f"{place} is no range of units")
        key = self.key[1:]
        if key[0] == 0 and len(key) == 11:
            instrument = f"CEA-{int.from_bytes(key[1:3], 'big'):04d}"
        elif key[0] == 1 and len(key) == 18:
            vintage = int.from_bytes(key[8:10], "big")
            instrument = f"CCER-{key[1:8].decode('ascii')}-{vintage:04d}"
        else:
            raise Refused(f"{place} has no key of a range")
        start = int.from_bytes(key[-8:], "big")
        end, where = decode(self.value, lambda r: (r.u64(), read_place(r)), place)
        return instrument, start, end, where

    def account_totals(self):
        """Number of the account of a record of table 2, and its totals."""
        place = f"record {self.key.hex()}"
        if self.key[0] != 2 or len(self.key) != 9:
            raise Refused(f"{place} is no account")

        def account(r):
            r.text(), r.option(Reader.text), r.option(Reader.u8)
            if r.variant(3) == 1:
                r.take(32)
            r.list(lambda r: (r.take(32), r.variant(4)))
            r.take(4), r.take(16)
            return dict(r.list(lambda r: ((read_instrument(r), r.variant(10)), r.u64())))

        return int.from_bytes(self.key[1:], "big"), decode(self.value, account, place)
