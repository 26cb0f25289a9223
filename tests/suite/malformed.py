"""HTTP that no client should send: requests by name, and ways to spoil them further."""

import random

GOOD = b"GET /2PXE/file/f HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /2PXE/boot HTTP/1.1\r\nHost: x\r\n"


def get(target=b"/2PXE/file/f", version=b"HTTP/1.1", fields=b"Host: x\r\n"):
    return b"GET " + target + b" " + version + b"\r\n" + fields + b"\r\n"


CORPUS = {
    "nothing": b"",
    "an empty line": b"\r\n",
    "many empty lines": b"\r\n" * 5000 + GOOD,
    "line feeds alone": GOOD.replace(b"\r", b""),
    "carriage returns alone": GOOD.replace(b"\n", b""),
    "a TLS hello": bytes.fromhex("160301020001000 1fc0303".replace(" ", "")) + bytes(200),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /2PXE/file/f\r\n",
    "another version": get(version=b"HTTP/9.9"),
    "no version's form": get(version=b"HTPT/1"),
    "a version that does not end": get(version=b"HTTP/1." + b"1" * 20000),
    "no method": b" /2PXE/file/f HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method of 100 kB": b"A" * 100000 + b" / HTTP/1.1\r\n\r\n",
    "a NUL in the method": b"GE\0T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "blanks in the target": get(target=b"/2PXE/file/a b c"),
    "tabs": b"GET\t/2PXE/file/f\tHTTP/1.1\r\nHost: x\r\n\r\n",
    "a target of 100 kB": get(target=b"/" + b"a" * 100000),
    "a target of slashes": get(target=b"/" * 20000),
    "a query of 20 kB": get(target=b"/2PXE/boot?" + b"a=b&" * 5000),
    "a query of 20,000 names": get(target=b"/2PXE/boot?" + b"&" * 20000),
    "a NUL in the target": get(target=b"/2PXE/file/f\0.efi"),
    "an encoded NUL": get(target=b"/2PXE/file/f%00.efi"),
    "half an escape": get(target=b"/2PXE/file/%"),
    "no hexadecimal digits": get(target=b"/2PXE/file/%gg"),
    "UTF-8 in overlong form": get(target=b"/2PXE/file/%c0%ae%c0%ae/etc/passwd"),
    "climbing": get(target=b"/2PXE/file/../../../etc/passwd"),
    "climbing, encoded": get(target=b"/2PXE/file/%2e%2e/%2e%2e/etc/passwd"),
    "climbing, encoded twice": get(target=b"/2PXE/file/%252e%252e/etc/passwd"),
    "climbing by back-slashes": get(target=b"/2PXE/file/..\\..\\etc\\passwd"),
    "an absolute URI": get(target=b"http://x/2PXE/file/f"),
    "an absolute URI without a path": get(target=b"http://x"),
    "an authority": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "no Host": get(fields=b""),
    "two Hosts": get(fields=b"Host: a\r\nHost: b\r\n"),
    "an empty field name": get(fields=b"Host: x\r\n: y\r\n"),
    "no colon": get(fields=b"Host: x\r\nnonsense\r\n"),
    "a blank before the colon": get(fields=b"Host : x\r\n"),
    "folded fields": get(fields=b"Host: x\r\nX: a\r\n b\r\n\tc\r\n"),
    "a fold first": get(fields=b" x: y\r\nHost: x\r\n"),
    "a NUL in a field": get(fields=b"Host: x\r\nX: a\0b\r\n"),
    "control characters": get(fields=b"Host: x\r\nX: " + bytes(range(1, 10)) + b"\r\n"),
    "a field of 100 kB": get(fields=b"Host: x\r\nX: " + b"a" * 100000 + b"\r\n"),
    "5,000 fields": get(fields=b"Host: x\r\n" + b"X: y\r\n" * 5000),
    "a head that does not end": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10,
    "ranges": get(fields=b"Host: x\r\nRange: bytes=" + b",".join(b"%d-" % n for n in range(2000)) + b"\r\n"),
    "a range of large numbers": get(fields=b"Host: x\r\nRange: bytes=18446744073709551615-18446744073709551616\r\n"),
    "a range that is none": get(fields=b"Host: x\r\nRange: bytes=--1\r\n"),
    "two ranges": get(fields=b"Host: x\r\nRange: bytes=0-0\r\nRange: bytes=1-1\r\n"),
    "tags without an end": get(fields=b"Host: x\r\nIf-None-Match: \"" + b"a" * 5000 + b"\r\nIf-Match: W/\r\n"),
    "dates that are none": get(fields=b"Host: x\r\nIf-Modified-Since: Sun, 99 Foo 9999 99:99:99 GMT\r\n"),
    "an expectation": POST + b"Expect: 200-ok\r\nContent-Length: 1\r\n\r\na",
    "an expectation, and no body": POST + b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length with a sign": POST + b"Content-Length: +5\r\n\r\naaaaa",
    "a length in hexadecimal": POST + b"Content-Length: 0x5\r\n\r\naaaaa",
    "an endless length": POST + b"Content-Length: " + b"9" * 60 + b"\r\n\r\na",
    "a length with a NUL": POST + b"Content-Length: 5\0\r\n\r\naaaaa" + GOOD,
    "a length of a NUL": POST + b"Content-Length: \0\r\n\r\naaaaa" + GOOD,
    "a length with blanks": POST + b"Content-Length: \t 5 \t\r\n\r\na=b&c" + GOOD,
    "a Host that is none": get(fields=b"Host: x y\r\n"),
    "a field that ends with a carriage return": get(fields=b"Host: x\r\nX: y\r\r\n"),
    "a piece's size with a line feed": POST + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n" + GOOD,
    "pieces of one octet": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 2000 + b"0\r\n\r\n" + GOOD,
    "trailers without an end": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 10000,
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\naaaaaa",
    "a length and pieces": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GOOD,
    "pieces of no number": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\naa\r\n0\r\n\r\n",
    "an endless piece": POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\na",
    "a negative piece": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\na",
    "a piece without an end": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\naaaaab\r\n0\r\n\r\n",
    "a piece's extension": POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 50000 + b"\r\na\r\n0\r\n\r\n",
    "trailers": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n",
    "an unknown coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding of nothing": POST + b"Transfer-Encoding: \r\n\r\n",
    "a body of GET": get(fields=b"Host: x\r\nContent-Length: 5\r\n") + b"aaaaa" + GOOD,
    "a body that is more than it says": POST + b"Content-Length: 1\r\n\r\n" + b"a" * 5000,
    "a form of escapes": POST + b"Content-Length: 3000\r\n\r\n" + b"%" * 3000,
    "a form of names": POST + b"Content-Length: 9000\r\n\r\n" + b"mac=&" * 1800,
    "many requests at once": GOOD * 200,
    "many at once, the last one broken": GOOD * 20 + b"GET",
}


def spoil(data, rng):
    """A request with some of its bytes changed, gone, or doubled."""
    data = bytearray(data[:20000])
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        n = rng.choice((1, 1, 2, 8, 100))
        how = rng.randrange(5)
        if how == 0 and data:
            data[at - 1] = rng.randrange(256)
        elif how == 1:
            del data[at:at + n]
        elif how == 2:
            data[at:at] = data[at:at + n]
        elif how == 3:
            data[at:at] = rng.choice((b"\r\n", b"\0", b" ", b"%", b":", b"\xff" * n, b"9" * n, b"/", b"\r"))
        else:
            data = data[:at]
    return bytes(data)


def all_of_it(count, seed):
    """Every request of the corpus, then so many spoiled ones."""
    rng = random.Random(seed)
    samples = list(CORPUS.values())
    yield from samples
    for _ in range(count):
        yield spoil(rng.choice(samples), rng)
