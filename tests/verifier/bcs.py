"""The canonical encoding (docs/formats/encoding.md): a strict reader, and a writer for genesis."""


class Refused(Exception):
    """Something is not what it should be; the text names the place."""


class Reader:
    """Takes values from the front of bytes."""

    def __init__(self, data, what):
        self.data, self.at, self.what = data, 0, what

    def take(self, length):
        part = self.data[self.at : self.at + length]
        if len(part) != length:
            raise Refused(f"{self.what}: the bytes end at {len(self.data)}")
        self.at += length
        return part

    def number(self, length):
        return int.from_bytes(self.take(length), "little")

    def u8(self):
        return self.number(1)

    def u16(self):
        return self.number(2)

    def u32(self):
        return self.number(4)

    def u64(self):
        return self.number(8)

    def uleb(self):
        value, shift = 0, 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift > 0:
                    raise Refused(f"{self.what}: a number has a longer form than it needs")
                break
            shift += 7
            if shift > 28:
                raise Refused(f"{self.what}: a number is too long")
        if value >= 1 << 32:
            raise Refused(f"{self.what}: a number is too long")
        return value

    def blob(self):
        return self.take(self.uleb())

    def text(self):
        return self.blob().decode("utf-8")

    def list(self, item):
        return [item(self) for _ in range(self.uleb())]

    def option(self, item):
        tag = self.u8()
        if tag > 1:
            raise Refused(f"{self.what}: an option is neither 0 nor 1")
        return item(self) if tag else None

    def variant(self, count):
        tag = self.uleb()
        if tag >= count:
            raise Refused(f"{self.what}: variant {tag} is unknown")
        return tag

    def rest(self):
        return self.take(len(self.data) - self.at)

    def end(self):
        if self.at != len(self.data):
            raise Refused(f"{self.what}: {len(self.data) - self.at} bytes too many")


def decode(data, item, what):
    """One value that takes up all bytes."""
    reader = Reader(data, what)
    value = item(reader)
    reader.end()
    return value


def uleb(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def little(value, length):
    return int(value).to_bytes(length, "little", signed=value < 0)


def blob(data):
    return uleb(len(data)) + data


def text(value):
    return blob(value.encode("utf-8"))


def items(values, item):
    return uleb(len(values)) + b"".join(item(value) for value in values)


def option(value, item):
    return b"\0" if value is None else b"\1" + item(value)
