"""Whether the bytes in a namespace and what the records say of them agree: nothing lost, nothing left behind."""

from collections import Counter

import cluster_settings as settings

# Tables of an index object that name blobs (docs/decisions/0008).
INTENTS, OWNERS, GARBAGE, DIRTY = 0xF0, 0xF1, 0xF2, 0xF3
ESCAPE = 1
END_OF_NAME = b"\x01\x01"


class Inventory:
    """The blobs of a namespace by what names them, and the bytes that are there."""

    def __init__(self, stored):
        self.named = {table: Counter() for table in (INTENTS, OWNERS, GARBAGE)}
        self.ranges, self.dirty, self.records = [], 0, Counter()
        for pool in (settings.POOL_INDEX, settings.COU_INDEX):
            for found in stored.objects(pool):
                if found.name.startswith("range."):
                    self._take(found)
        self.stripes = Counter()
        for pool in (settings.POOL_DATA, settings.COU_DATA, settings.POOL_EC):
            self.stripes.update(name.split(".")[1] for name in stored.names(pool) if name.startswith("blob."))

    def _take(self, found):
        self.ranges.append(found.name)
        for omap_key in found.omap:
            table = omap_key[0]
            if table in self.named:
                self.named[table][blob_of(omap_key)] += 1
            elif table == DIRTY:
                self.dirty += 1
            else:
                self.records[found.name] += 1

    def lost(self):
        """Blobs that a record names, without bytes."""
        return self.named[OWNERS].keys() - self.stripes.keys()

    def orphans(self):
        """Bytes that nothing names: no collector would ever find them."""
        return self.stripes.keys() - {blob for table in self.named.values() for blob in table}

    def doubled(self):
        """Blobs that stand in the books twice."""
        return {blob for table in self.named.values() for blob, count in table.items() if count > 1}

    def agrees(self):
        """Fails when something is lost, left behind or doubled."""
        assert not self.lost(), f"{len(self.lost())} blobs are lost: {sorted(self.lost())[:5]}"
        assert not self.orphans(), f"{len(self.orphans())} orphans: {sorted(self.orphans())[:5]}"
        assert not self.doubled(), f"{len(self.doubled())} doubled: {sorted(self.doubled())[:5]}"
        return self


def blob_of(omap_key):
    """The blob's id, as the names of its stripes have it: what stands behind the name and its end, escaped."""
    at = 1
    while omap_key[at : at + 2] != END_OF_NAME:
        at += 2 if omap_key[at] == ESCAPE else 1
    escaped = omap_key[at + len(END_OF_NAME) :]
    return escaped.replace(b"\x01\x02", b"\x00").replace(b"\x01\x03", b"\x01").hex()
