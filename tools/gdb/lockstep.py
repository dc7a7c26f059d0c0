"""Shows Lockstep's structs in gdb the way a person reads them.

    gdb -x tools/gdb/lockstep.py core/lockstep CORE        (or: source tools/gdb/lockstep.py)

A struct is shown without the members that are zero or NO_TIME, enumerations aside; a request only with the part that
its kind uses; `struct docid` and `bson_t` as the values they hold. `print /r` shows everything as gdb does.
"""
import gdb
import gdb.printing
import struct

NO_TIME = -(2**63)


def bson_value(kind, data, at):
    """One BSON value as text, and where it ends."""
    def number(form):
        return struct.unpack_from("<" + form, data, at)[0]

    def text(start, size):
        return '"%s"' % data[start : start + size].decode("utf-8", "backslashreplace")

    if kind in (0x02, 0x0D, 0x0E):
        return text(at + 4, number("i") - 1), at + 4 + number("i")
    if kind in (0x03, 0x04):
        return bson_document(data, at, kind == 0x04), at + number("i")
    if kind == 0x05:
        end = at + 5 + number("i")
        return "binary(%d, %s)" % (data[at + 4], data[at + 5 : end].hex()), end
    fixed = {
        0x01: (8, lambda: repr(number("d"))),
        0x07: (12, lambda: 'oid("%s")' % data[at : at + 12].hex()),
        0x08: (1, lambda: "true" if data[at] else "false"),
        0x09: (8, lambda: "date(%d)" % number("q")),
        0x0A: (0, lambda: "null"),
        0x10: (4, lambda: str(number("i"))),
        0x11: (8, lambda: "timestamp(%d, %d)" % (number("Q") >> 32, number("Q") & 0xFFFFFFFF)),
        0x12: (8, lambda: str(number("q"))),
        0x13: (16, lambda: "decimal128(%s)" % data[at : at + 16].hex()),
        0x7F: (0, lambda: "maxKey"),
        0xFF: (0, lambda: "minKey"),
    }
    if kind not in fixed:
        raise ValueError("BSON type %d" % kind)
    size, shown = fixed[kind]
    return shown(), at + size


def bson_document(data, at=0, array=False):
    members, end = [], at + struct.unpack_from("<i", data, at)[0] - 1
    at += 4
    while at < end:
        kind, name_end = data[at], data.index(0, at + 1)
        name = data[at + 1 : name_end].decode("utf-8", "backslashreplace")
        shown, at = bson_value(kind, data, name_end + 1)
        members.append(shown if array else '"%s": %s' % (name, shown))
    return ("[%s]" if array else "{%s}") % ", ".join(members)


def memory(address, size):
    return bytes(gdb.selected_inferior().read_memory(int(address), int(size)))


def docid_text(value):
    text = bson_document(memory(value["data"].address, value["bytes"]))
    return text[len('{"_id": ') : -1]


def bson_text(value):
    """libbson's two layouts: small documents inside of the struct, others behind a pointer to a pointer."""
    address, size = int(value.address), int(value["len"])
    at = address + 8
    if not int(value["flags"]) & 1:
        buffer, = struct.unpack("<Q", memory(address + 24, 8))
        data, = struct.unpack("<Q", memory(buffer, 8))
        at = data + struct.unpack("<Q", memory(address + 40, 8))[0]
    return bson_document(memory(at, size))


class Text:
    """`struct docid`, `bson_t`, and pointers to them."""

    def __init__(self, value, read):
        self.value, self.read = value, read

    def to_string(self):
        target = self.value
        try:
            if target.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
                if not int(target):
                    return "NULL"
                target = target.dereference()
            return self.read(target)
        except (gdb.MemoryError, ValueError, IndexError, struct.error) as error:
            return "(unreadable: %s)" % error


def is_nothing(value):
    """Zero, NO_TIME, or a struct or array of such."""
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_ARRAY:
        first, last = kind.range()
        return all(is_nothing(value[i]) for i in range(first, min(last, first + 63) + 1))
    if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        return all(is_nothing(value[f]) for f in kind.fields())
    if kind.code == gdb.TYPE_CODE_FLT:
        return float(value) == 0
    return int(value) in (0, NO_TIME)


class Sparse:
    """A struct without the members that say nothing."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return None

    def fields(self):
        for field in self.value.type.strip_typedefs().fields():
            inner = field.type.strip_typedefs()
            if field.name or inner.code != gdb.TYPE_CODE_UNION:
                yield field, self.value[field]
                continue
            yield from self.used(inner, self.value[field])

    def used(self, union, value):
        """Of a request's union: the member that its kind names (REQ_STREAM_OPEN: stream_open; REQ_DELETE: del)."""
        try:
            kind = str(self.value["kind"]).partition("_")[2].lower()
        except gdb.error:
            kind = ""
        named = [f for f in union.fields() if f.name and kind.startswith(f.name)]
        for field in sorted(named, key=lambda f: len(f.name))[-1:] or union.fields():
            yield field, value[field]

    def children(self):
        for field, value in self.fields():
            enum = value.type.strip_typedefs().code == gdb.TYPE_CODE_ENUM
            if field.name and (enum or not is_nothing(value)):
                yield field.name, value


class Printers(gdb.printing.PrettyPrinter):
    texts = {"docid": docid_text, "bson_t": bson_text, "_bson_t": bson_text}

    def __call__(self, value):
        kind = value.type.strip_typedefs()
        pointer = kind.code == gdb.TYPE_CODE_PTR
        target = kind.target().strip_typedefs() if pointer else kind
        if target.code != gdb.TYPE_CODE_STRUCT or not target.fields():
            return None
        if target.tag in self.texts:
            return Text(value, self.texts[target.tag])
        return None if pointer else Sparse(value)


gdb.printing.register_pretty_printer(None, Printers("lockstep"), replace=True)
