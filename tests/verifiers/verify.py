"""Verifies the files of a folder with tlog-scales, which knows nothing of us."""

import base64
import dataclasses
import hashlib
import sys
from pathlib import Path

from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint, ConsistencyProof, InclusionProof

folder = Path(sys.argv[1])
keys = [Vkey.from_string(path.read_text()) for path in sorted(folder.glob("*.vkey"))]
if not keys:
    raise SystemExit(f"no *.vkey in {folder}")


def opened(text):
    """The checkpoint, which the log has signed, and the witness where there is one."""
    checkpoint = Checkpoint.from_text(text)
    for key in keys:
        checkpoint.verify(key)
        refused(lambda: dataclasses.replace(checkpoint, size=checkpoint.size + 1).verify(key))
    return checkpoint


def parts(path):
    head, checkpoint = path.read_text().split("\n\n", 1)
    return head.split("\n"), opened(checkpoint)


def refused(verification):
    try:
        verification()
    except Exception:
        return
    raise SystemExit("accepted although something was changed")


def named(pattern):
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise SystemExit(f"no {pattern} in {folder}")
    return paths


tiles = TilesReader(LocalBackend(folder))
inclusions = named("*.tlog-proof")
for path in inclusions:
    head, checkpoint = parts(path)
    index, hashes = int(head[1].removeprefix("index ")), list(map(base64.b64decode, head[2:]))
    entry = path.with_suffix(".entry").read_bytes()
    proof = InclusionProof(index, checkpoint.size, hashes)
    proof.check(hashlib.sha256(b"\0" + entry).digest(), checkpoint.root_hash)
    tiles.set_size(checkpoint.size)
    if tiles.calculate_root_hash() != checkpoint.root_hash or tiles.get_entry(index) != entry:
        raise SystemExit(f"{path}: tiles or bundles tell another log")
    changed = hashlib.sha256(b"\1" + entry).digest()
    refused(lambda: proof.check(changed, checkpoint.root_hash))

consistencies = named("*.add-checkpoint")
for path in consistencies:
    head, checkpoint = parts(path)
    old, hashes = int(head[0].removeprefix("old ")), list(map(base64.b64decode, head[1:]))
    before = opened((folder / f"{old}.checkpoint").read_text())
    proof = ConsistencyProof(old, checkpoint.size, hashes)
    proof.check(before.root_hash, checkpoint.root_hash)
    refused(lambda: proof.check(bytes(32), checkpoint.root_hash))

print(f"tlog-scales: {len(inclusions)} inclusions, {len(consistencies)} consistencies")
