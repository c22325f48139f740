"""Verifies what a CETS ledger exports: python3 cets_verify.py COMMAND ARGUMENTS (see README.md)."""

import json
import pathlib
import sys

import proofs
import tlog
from bcs import Refused
from history import verify_history

# What damaged bytes may raise inside a decoder besides our own refusals.
DAMAGED = (Refused, UnicodeDecodeError, ValueError, IndexError, KeyError)


def read(path):
    """The text of a file, line ends as they are."""
    return pathlib.Path(path).read_bytes().decode("utf-8")


def proof(genesis, *files):
    genesis = json.loads(read(genesis))
    for file in files:
        print(*proofs.verify_bytes(genesis, proofs.unarmour(read(file))), sep="\n")


def proof_bytes(genesis, *files):
    """Proofs without their armour."""
    genesis = json.loads(read(genesis))
    for file in files:
        print(*proofs.verify_bytes(genesis, pathlib.Path(file).read_bytes()), sep="\n")


def tlog_proof(policy, *files):
    policy = tlog.Policy(read(policy))
    for file in files:
        print(*tlog.verify_proof(policy, read(file)), sep="\n")


def log(policy, folder):
    print(*tlog.verify_log(tlog.Policy(read(policy)), folder), sep="\n")


def history(file):
    print(*verify_history(file), sep="\n")


def tamper(genesis, *files):
    """Changes one bit of every byte; a proof may survive only by making another claim."""
    genesis = json.loads(read(genesis))
    for file in files:
        data = proofs.unarmour(read(file))
        claim = proofs.verify_bytes(genesis, data)
        for position in range(len(data)):
            changed = bytearray(data)
            changed[position] ^= 1 << position % 8
            try:
                other = proofs.verify_bytes(genesis, bytes(changed))
            except DAMAGED:
                continue
            if other == claim:
                raise Refused(f"{file}: a change of byte {position} went unnoticed")
    print("every change was detected")


COMMANDS = {
    "proof": proof, "bytes": proof_bytes, "tlog": tlog_proof, "log": log, "history": history, "tamper": tamper,
}


def main(arguments):
    if len(arguments) < 2 or arguments[0] not in COMMANDS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        COMMANDS[arguments[0]](*arguments[1:])
    except DAMAGED as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
