"""Proof files (docs/formats/proofs.md)."""

import base64
import binascii
import datetime

from blake3 import blake3

from bcs import Reader, Refused
from ledger import (
    STATUSES, Certificate, Header, Record, ValidatorSet, account_name, chain_id, domain_hash,
    genesis_validators, leaf_hash, read_entry, read_instrument, read_log_proof, read_range,
    read_validators, unit_movements, verify_certificate, verify_path, verify_transaction,
)

BEGIN, END = "-----BEGIN CETS PROOF-----", "-----END CETS PROOF-----"


def comment(data):
    """The lines for people that follow from the bytes of a proof file."""
    _, proof = read(data)
    header = proof.anchor.header
    kind = NAMES[KINDS.index(type(proof))]
    return [
        f"cets-proof v1: {kind}, chain {header.chain_id.hex()}, height {header.height}",
        f"blake3 {blake3(data).hexdigest()}",
        "Only verification against the genesis document shows what this file proves.",
    ]


def unarmour(text):
    """The bytes of a proof file."""
    lines = text.split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    if BEGIN not in lines or END not in lines[lines.index(BEGIN) :]:
        raise Refused("the text holds no proof")
    start = lines.index(BEGIN) + 1
    end = lines.index(END, start)
    body = lines[start:end]
    if any(line.strip() for line in lines[end + 1 :]):
        raise Refused("something stands after the proof")
    if any(len(line) != 64 for line in body[:-1]) or any(not 0 < len(line) <= 64 for line in body):
        raise Refused("a line of the proof has not 64 characters")
    encoded = "".join(body)
    try:
        data = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise Refused("the proof is no base64") from error
    if base64.b64encode(data).decode() != encoded:
        raise Refused("the proof is no canonical base64")
    if lines[: start - 1] != comment(data):
        raise Refused("the lines for people are not those of the proof")
    return data


class Anchor:
    def __init__(self, reader):
        self.header, self.certificate = Header(reader), Certificate(reader)


class History:
    """The validators of every height."""

    def __init__(self, genesis):
        self.chain = chain_id(genesis)
        self.sets = [(1, genesis_validators(genesis))]

    def at(self, height):
        found = [validators for first, validators in self.sets if first <= height]
        if not found:
            raise Refused(f"nobody decides height {height}")
        return found[-1]

    def verify(self, anchor):
        height = anchor.header.height
        verify_certificate(anchor.header, anchor.certificate, self.chain, self.at(height))

    def extend(self, position, anchor, members):
        height, new = anchor.header.height, ValidatorSet(members)
        place = f"validator change {position} (height {height})"
        first, in_force = self.sets[-1]
        if [member[1] for member in new.members] != [member[1] for member in members]:
            raise Refused(f"{place}: the validators are not in order")
        if height < first or new.digest() == in_force.digest():
            raise Refused(f"{place}: it does not follow the change before")
        self.verify(anchor)
        if anchor.header.next_validators != new.digest():
            raise Refused(f"{place}: the set is not the one whose digest the header carries")
        self.sets.append((height + 1, new))


class ReceiptInclusion:
    def __init__(self, reader):
        self.entry = reader.blob()
        self.index, self.size, self.path = read_log_proof(reader)
        self.events = reader.option(Reader.blob)

    def verify(self, header):
        place = f"log entry {self.index}"
        verify_entry(self.entry, self.index, self.size, self.path, header)
        value = read_entry(self.entry, place)
        if isinstance(value, Header):
            raise Refused(f"{place} is a header")
        transaction, receipt = value
        verify_transaction(transaction, receipt, header.chain_id, place)
        if receipt.height > header.height:
            raise Refused(f"{place}: its receipt is of a later height")
        if self.events is not None and domain_hash(b"events", self.events) != receipt.events:
            raise Refused(f"{place}: the event record is not the one of the receipt")
        return receipt


def verify_entry(entry, index, size, path, header):
    place = f"log entry {index}, height {header.height}"
    if size != header.log_size:
        raise Refused(f"{place}: the path is for {size} entries, not {header.log_size}")
    verify_path(leaf_hash(entry), index, size, path, header.log_root, place)


def outcome(receipt):
    return "accepted" if receipt.code is None else f"refused with code {receipt.code}"


def time_text(millis):
    moment = datetime.datetime.fromtimestamp(millis / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class ReceiptProof:
    def __init__(self, reader):
        self.receipt, self.anchor = ReceiptInclusion(reader), Anchor(reader)

    def verify(self, header):
        receipt = self.receipt.verify(header)
        return [f"transaction {receipt.tx_id.hex()} of height {receipt.height}: {outcome(receipt)}"]


def check_count(values):
    if not 1 <= len(values) <= 4096:
        raise Refused(f"a proof holds 1 to 4096 records or hops, not {len(values)}")


class RecordProof:
    def __init__(self, reader):
        self.records, self.anchor = reader.list(Record), Anchor(reader)

    def verify(self, header):
        check_count(self.records)
        tables = [record.verify(header) for record in self.records]
        return [f"{len(tables)} records of the state: {', '.join(tables)}"]


class UnitProof:
    def __init__(self, reader):
        self.range, self.holder = read_range(reader), reader.u64()
        self.records, self.anchor = reader.list(Record), Anchor(reader)

    def verify(self, header):
        check_count(self.records)
        instrument, start, end = self.range
        at, parts = start, []
        for record in self.records:
            record.verify(header)
            stored, first, after, (holder, status, _) = record.unit_range()
            if stored != instrument or not first <= at < after or at >= end:
                raise Refused(f"the records do not cover {instrument} {start}-{end - 1}")
            if holder != self.holder:
                raise Refused(f"{instrument} {at} is held by {account_name(holder)}")
            parts.append(f"{at}-{min(after, end) - 1} {STATUSES[status]}")
            at = min(after, end)
        if at != end:
            raise Refused(f"the records do not cover {instrument} {start}-{end - 1}")
        owner = account_name(self.holder)
        return [f"{instrument} {start}-{end - 1} belongs to {owner}: {', '.join(parts)}"]


class StatementProof(RecordProof):
    def verify(self, header):
        super().verify(header)
        account, totals = self.records[0].account_totals()
        sums, before = {}, None
        for record in self.records[1:]:
            instrument, start, end, (holder, status, _) = record.unit_range()
            if holder != account:
                raise Refused(f"{instrument} {start}-{end - 1} is held by {account_name(holder)}")
            if before is not None and record.key <= before[0]:
                raise Refused("the ranges of the statement are not in order")
            if before is not None and before[1] == instrument and start < before[2]:
                raise Refused("two ranges of the statement overlap")
            before = (record.key, instrument, end)
            kind = (instrument, status)
            sums[kind] = sums.get(kind, 0) + end - start
        if sums != totals:
            raise Refused(f"the ranges do not add up to the totals of {account_name(account)}")
        return [
            f"{account_name(account)} holds {total} t of {instrument}, {STATUSES[status]}"
            for (instrument, status), total in sorted(totals.items())
        ]


class Hop:
    def __init__(self, reader):
        self.receipt = ReceiptInclusion(reader)
        self.block = reader.option(lambda r: (r.blob(), *read_log_proof(r)))

    def time(self, header, receipt, place):
        if self.block is None:
            if receipt.height != header.height:
                raise Refused(f"{place}: the header of its block is missing")
            return header.time
        entry, index, size, path = self.block
        verify_entry(entry, index, size, path, header)
        block = read_entry(entry, f"log entry {index}")
        if not isinstance(block, Header):
            raise Refused(f"{place}: log entry {index} is no header")
        if block.height != receipt.height or block.log_size != index or self.receipt.index >= index:
            raise Refused(f"{place}: log entry {index} is the header of another block")
        return block.time


class ProvenanceProof:
    def __init__(self, reader):
        self.serial = (read_instrument(reader), reader.u64())
        self.hops, self.last = reader.list(Hop), Record(reader)
        self.anchor = Anchor(reader)

    def verify(self, header):
        check_count(self.hops)
        instrument, number = self.serial
        where, before, lines = None, -1, []
        for position, hop in enumerate(self.hops):
            place = f"hop {position} (log entry {hop.receipt.index})"
            if hop.receipt.index <= before:
                raise Refused(f"{place} does not come after the hop before")
            before = hop.receipt.index
            receipt = hop.receipt.verify(header)
            if receipt.code is not None or hop.receipt.events is None:
                raise Refused(f"{place} moved nothing")
            moved = [
                (source, target)
                for (kind, start, end), source, target in unit_movements(hop.receipt.events, place)
                if kind == instrument and start <= number < end
            ]
            if not moved:
                raise Refused(f"{place} did not move the unit")
            for source, target in moved:
                if source != where:
                    raise Refused(f"{place} starts elsewhere than the hop before ended")
                where = target
            time = time_text(hop.time(header, receipt, place))
            what = "issued" if position == 0 else "moved"
            lines.append(f"hop {position}: {time} {what} to {account_name(where[0])}")
        self.last.verify(header)
        stored, start, end, now = self.last.unit_range()
        if stored != instrument or not start <= number < end:
            raise Refused("the last record does not hold the unit")
        if now != where:
            raise Refused("the last hop is not the newest: the unit is elsewhere")
        return [f"{instrument} {number} is with {account_name(now[0])}, {STATUSES[now[1]]}", *lines]


class DossierProof:
    def __init__(self, reader):
        self.transactions, self.records = reader.list(Hop), reader.list(Record)
        self.anchor = Anchor(reader)

    def verify(self, header):
        check_count(self.records)
        before, lines = -1, []
        for position, hop in enumerate(self.transactions):
            place = f"transaction {position} (log entry {hop.receipt.index})"
            if hop.receipt.index <= before:
                raise Refused(f"{place} does not come after the one before")
            before = hop.receipt.index
            receipt = hop.receipt.verify(header)
            time = time_text(hop.time(header, receipt, place))
            lines.append(f"transaction {receipt.tx_id.hex()} at {time}: {outcome(receipt)}")
        tables = [record.verify(header) for record in self.records]
        return [*lines, f"{len(tables)} records of the state: {', '.join(tables)}"]


KINDS = (ReceiptProof, RecordProof, UnitProof, StatementProof, ProvenanceProof, DossierProof)
NAMES = ("receipt", "records", "units", "statement", "provenance", "dossier")


def read(data):
    """Changes of the validator set and the proof in the bytes of a proof file."""
    reader = Reader(data, "the proof")
    changes = reader.list(lambda r: (Anchor(r), read_validators(r)))
    proof = KINDS[reader.variant(len(KINDS))](reader)
    reader.end()
    return changes, proof


def verify_bytes(genesis, data):
    """Verifies the bytes of a proof file; returns what it shows."""
    history = History(genesis)
    changes, proof = read(data)
    for position, (anchor, members) in enumerate(changes):
        history.extend(position, anchor, members)
    history.verify(proof.anchor)
    header = proof.anchor.header
    lines = proof.verify(header)
    return [f"height {header.height}, {time_text(header.time)}, block {header.id.hex()}", *lines]
