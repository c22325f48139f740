"""The transparency log: notes, policies, proofs and files (docs/formats/transparency.md)."""

import base64
import binascii
import pathlib

from bcs import Refused
from ledger import (
    Header, leaf_hash, log_root, read_entry, sha256, verify_path, verify_signature,
    verify_transaction,
)


def unbase64(text, place):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(f"{place} is no base64") from error
    if base64.b64encode(data).decode() != text:
        raise Refused(f"{place} is no canonical base64")
    return data


def number(text, place):
    """A decimal number without sign, leading zeros or other characters."""
    if not (text.isascii() and text.isdigit()) or str(int(text)) != text:
        raise Refused(f"{place} is no number")
    return int(text)


class Key:
    """A verifier key: name+id+base64(type and key)."""

    def __init__(self, text):
        self.name, identifier, material = text.split("+", 2)
        material = unbase64(material, f"the key of {self.name}")
        self.type, self.key = material[0], material[1:]
        self.id = sha256(self.name.encode(), b"\n", material)[:4]
        if identifier != self.id.hex() or len(self.key) != 32:
            raise Refused(f"the key of {self.name} does not fit its id")


class Policy:
    def __init__(self, text):
        self.logs, self.members, self.quorum = [], {}, None
        for line in text.split("\n"):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "log":
                self.logs.append(Key(words[1]))
            elif words[0] == "witness":
                self.members[words[1]] = Key(words[2])
            elif words[0] == "group":
                names = words[3:]
                threshold = {"any": 1, "all": len(names)}.get(words[2]) or int(words[2])
                self.members[words[1]] = (threshold, names)
            elif words[0] == "quorum":
                self.quorum = words[1]
            else:
                raise Refused(f"the policy has an unknown line: {line}")

    def met(self, name, cosigned):
        member = self.members[name]
        if isinstance(member, Key):
            return name in cosigned
        threshold, names = member
        return sum(self.met(part, cosigned) for part in names) >= threshold

    def verify(self, note):
        """Origin, size and root of a checkpoint that satisfies the policy."""
        text, _, lines = note.rpartition("\n\n")
        text += "\n"
        parts = text.split("\n")
        if len(parts) != 4 or not lines.endswith("\n"):
            raise Refused("the checkpoint has not three lines and signatures")
        origin, size, root = parts[0], parts[1], unbase64(parts[2], "the root of the checkpoint")
        size = number(size, "the size of the checkpoint")
        if len(root) != 32:
            raise Refused("the checkpoint has no root")
        logs = [key for key in self.logs if key.name == origin]
        if not logs:
            raise Refused(f"the origin {origin} is not that of the policy")
        signatures = []
        for line in lines[:-1].split("\n"):
            words = line.split(" ")
            if len(words) != 3 or words[0] != "\u2014":
                raise Refused("a line of the checkpoint is no signature")
            blob = unbase64(words[2], f"the signature of {words[1]}")
            signatures.append((words[1], blob[:4], blob[4:]))

        def of(key):
            return [sig for name, ident, sig in signatures if (name, ident) == (key.name, key.id)]

        signed = False
        for key in logs:
            for signature in of(key):
                if key.type != 1 or not verify_signature(key.key, signature, text.encode()):
                    raise Refused(f"a signature of {key.name} is forged or damaged")
                signed = True
        if not signed:
            raise Refused("no log of the policy signed the checkpoint")
        cosigned = set()
        for name, key in self.members.items():
            if not isinstance(key, Key):
                continue
            for signature in of(key):
                seconds = int.from_bytes(signature[:8], "big")
                message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
                if key.type != 4 or not verify_signature(key.key, signature[8:], message):
                    raise Refused(f"the cosignature of {name} is forged or damaged")
                cosigned.add(name)
        if self.quorum != "none" and not self.met(self.quorum, cosigned):
            raise Refused(f"{len(cosigned)} cosignatures of the checkpoint are no quorum")
        return origin, size, root


def verify_proof(policy, text):
    """Verifies a tlog-proof file with its entry; returns what it shows."""
    head, _, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != "c2sp.org/tlog-proof@v1" or len(lines) < 3:
        raise Refused("the text is no tlog-proof")
    if not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise Refused("the proof holds no entry or no index")
    entry = unbase64(lines[1][6:], "the entry")
    index = number(lines[2][6:], "the index of the proof")
    path = [unbase64(line, "a node of the path") for line in lines[3:]]
    origin, size, root = policy.verify(checkpoint)
    verify_path(leaf_hash(entry), index, size, path, root, f"log entry {index}")
    value = read_entry(entry, f"log entry {index}")
    if isinstance(value, Header):
        return [f"log entry {index} of {origin}: header of height {value.height}"]
    transaction, receipt = value
    chain = bytes.fromhex(origin.rpartition("/")[2])
    verify_transaction(transaction, receipt, chain, f"log entry {index}")
    outcome = "accepted" if receipt.code is None else f"refused with code {receipt.code}"
    return [f"log entry {index} of {origin}: transaction {receipt.tx_id.hex()}, {outcome}"]


def number_path(index):
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03d}")
    return "/".join(groups)


def rows(size):
    """Number and width of each tile of one level."""
    for index in range((size + 255) // 256):
        yield index, min(256, size - 256 * index)


def tile_path(level, index, width):
    return f"tile/{level}/{number_path(index)}" + (f".p/{width}" if width < 256 else "")


def verify_log(policy, folder):
    """Walks a whole log from its files."""
    folder = pathlib.Path(folder)
    origin, size, root = policy.verify((folder / "checkpoint").read_bytes().decode("utf-8"))
    hashes = []
    for index, width in rows(size):
        path = tile_path("entries", index, width)
        data, at = (folder / path).read_bytes(), 0
        for _ in range(width):
            length = int.from_bytes(data[at : at + 2], "big")
            hashes.append(leaf_hash(data[at + 2 : at + 2 + length]))
            at += 2 + length
        if at != len(data):
            raise Refused(f"{path} has other entries than its name says")
    level, nodes = 0, hashes
    while nodes:
        for index, width in rows(len(nodes)):
            path = tile_path(level, index, width)
            data = (folder / path).read_bytes()
            if len(data) != 32 * width:
                raise Refused(f"{path} has {len(data)} bytes")
            for place in range(width):
                expected = nodes[256 * index + place]
                if data[32 * place : 32 * place + 32] != expected:
                    first = (256 * index + place) << 8 * level
                    raise Refused(f"{path}: hash {place} is not that of entry {first}")
        full = len(nodes) // 256
        nodes = [log_root(nodes[256 * index : 256 * index + 256]) for index in range(full)]
        level += 1
    if log_root(hashes) != root:
        raise Refused("the entries do not have the root of the checkpoint")
    return [f"{size} entries of {origin}"]
