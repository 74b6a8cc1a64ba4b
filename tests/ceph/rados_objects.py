"""Reads and spoils what lies in the cluster, past Canopic: its objects with their bytes, omap and xattrs.

A few calls of the C library, in this process. The user is Canopic's own, so what is found is what it could reach.
"""

import ctypes
import errno
from contextlib import contextmanager
from dataclasses import dataclass, field

import cluster_settings as settings

KIB, MIB = 1024, 1024 * 1024
PAGE = 1000


class Error(OSError):
    """What the library said."""


@dataclass
class Stored:
    """One object, whole."""

    pool: str
    name: str
    body: bytes = field(repr=False)
    omap: dict = field(repr=False)
    xattrs: dict = field(repr=False)

    def bytes(self):
        """Everything that it holds, one after another."""
        pairs = [*self.omap.items(), *self.xattrs.items()]
        return b"\0".join([self.name.encode(), self.body, *(part for pair in pairs for part in pair)])


class Namespace:
    """One namespace of the cluster's pools, while it is open."""

    def __init__(self, conf, namespace):
        self.namespace = namespace
        self.library = ctypes.CDLL("librados.so.2")
        self.cluster = ctypes.c_void_p()
        self._do("create2", ctypes.byref(self.cluster), b"ceph", settings.USER.encode(), ctypes.c_uint64(0))
        self._do("conf_read_file", self.cluster, str(conf).encode())
        self._do("conf_set", self.cluster, b"rados_osd_op_timeout", b"60")
        self._do("conf_set", self.cluster, b"rados_mon_op_timeout", b"60")
        self._do("connect", self.cluster)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.library.rados_shutdown(self.cluster)

    def names(self, pool):
        """The names of all objects."""
        with self._pool(pool) as io:
            listing, entry = ctypes.c_void_p(), ctypes.c_char_p()
            self._do("nobjects_list_open", io, ctypes.byref(listing))
            try:
                found = []
                while self._next(listing, entry):
                    found.append(entry.value.decode())
                return found
            finally:
                self.library.rados_nobjects_list_close(listing)

    def objects(self, *pools):
        """All objects of these pools, or of all."""
        for pool in pools or settings.POOLS:
            for name in self.names(pool):
                found = self.read(pool, name)
                if found:
                    yield found

    def read(self, pool, name):
        """One object, or None when there is none."""
        with self._pool(pool) as io:
            try:
                return Stored(pool, name, self._body(io, name), self._omap(io, name), self._xattrs(io, name))
            except Error as error:
                if error.errno == errno.ENOENT:
                    return None
                raise

    def changes(self, pool):
        """{name: (size, version)} of all objects. Every change of an object gives it another version."""
        self.library.rados_get_last_version.restype = ctypes.c_uint64
        found = {}
        for name in self.names(pool):
            size, time = ctypes.c_uint64(), ctypes.c_int64()
            with self._pool(pool) as io:
                self._do("stat", io, name.encode(), ctypes.byref(size), ctypes.byref(time))
                found[name] = size.value, self.library.rados_get_last_version(io)
        return found

    def write(self, pool, name, body):
        """Gives an object other bytes; its xattrs stay."""
        with self._pool(pool) as io:
            self._do("trunc", io, name.encode(), ctypes.c_uint64(0))
            self._do("write", io, name.encode(), body, ctypes.c_size_t(len(body)), ctypes.c_uint64(0))

    def remove(self, pool, name):
        with self._pool(pool) as io:
            self._do("remove", io, name.encode())

    def clear(self):
        """Removes everything."""
        for pool in settings.POOLS:
            for name in self.names(pool):
                try:
                    self.remove(pool, name)
                except Error as error:
                    if error.errno != errno.ENOENT:
                        raise

    @contextmanager
    def _pool(self, pool):
        io = ctypes.c_void_p()
        self._do("ioctx_create", self.cluster, pool.encode(), ctypes.byref(io))
        try:
            self.library.rados_ioctx_set_namespace(io, self.namespace.encode())
            yield io
        finally:
            self.library.rados_ioctx_destroy(io)

    def _body(self, io, name):
        pieces, at = [], 0
        buffer = ctypes.create_string_buffer(4 * MIB)
        while True:
            read = self._do("read", io, name.encode(), buffer, ctypes.c_size_t(len(buffer)), ctypes.c_uint64(at))
            pieces.append(buffer.raw[:read])
            at += read
            if read < len(buffer):
                return b"".join(pieces)

    def _omap(self, io, name):
        found, more, after = {}, True, b""
        while more:
            page, more = self._omap_page(io, name, after)
            found |= page
            after = max(page, default=b"")
        return found

    def _omap_page(self, io, name, after):
        self.library.rados_create_read_op.restype = ctypes.c_void_p
        operation = ctypes.c_void_p(self.library.rados_create_read_op())
        entries, more, code = ctypes.c_void_p(), ctypes.c_ubyte(), ctypes.c_int()
        try:
            self.library.rados_read_op_omap_get_vals2(
                operation, after, b"", ctypes.c_uint64(PAGE), ctypes.byref(entries), ctypes.byref(more), ctypes.byref(code)
            )  # fmt: skip
            self._do("read_op_operate", operation, io, name.encode(), 0)
            return self._entries(entries), bool(more.value)
        finally:
            if entries:
                self.library.rados_omap_get_end(entries)
            self.library.rados_release_read_op(operation)

    def _entries(self, entries):
        found = {}
        name, value = ctypes.c_void_p(), ctypes.c_void_p()
        name_len, value_len = ctypes.c_size_t(), ctypes.c_size_t()
        while True:
            self._do("omap_get_next2", entries, *map(ctypes.byref, (name, value, name_len, value_len)))
            if not name.value:
                return found
            found[ctypes.string_at(name, name_len.value)] = ctypes.string_at(value, value_len.value)

    def _xattrs(self, io, name):
        found, entries = {}, ctypes.c_void_p()
        key, value, length = ctypes.c_char_p(), ctypes.c_void_p(), ctypes.c_size_t()
        self._do("getxattrs", io, name.encode(), ctypes.byref(entries))
        try:
            while True:
                self._do("getxattrs_next", entries, *map(ctypes.byref, (key, value, length)))
                if key.value is None:
                    return found
                found[key.value] = ctypes.string_at(value, length.value) if length.value else b""
        finally:
            self.library.rados_getxattrs_end(entries)

    def _next(self, listing, entry):
        code = self.library.rados_nobjects_list_next(listing, ctypes.byref(entry), None, None)
        if code == -errno.ENOENT:
            return False
        return self._checked("nobjects_list_next", code) == 0

    def _do(self, call, *arguments):
        return self._checked(call, getattr(self.library, f"rados_{call}")(*arguments))

    def _checked(self, call, code):
        if code < 0:
            raise Error(-code, f"rados_{call}: {errno.errorcode.get(-code, code)}")
        return code
