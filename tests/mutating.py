"""Seeded damage: JSON whose structure is changed, and bytes that are.

``from mutating import mutate_json, mutate_bytes, mutate_safetensors``: each takes a ``random.Random`` first.
"""

from __future__ import annotations

import copy
import json
import re
import struct
from random import Random
from typing import Any

WORDS = (
    "",
    "*",
    "class",
    "None",
    "é",
    "\u202e",
    "\ud800",
    "\x00",
    "\n",
    '"""',
    "../up",
    "/etc/passwd",
    "a b",
    "E",
    "I",
)
INTEGERS = (0, 1, -1, 2, 3, 7, 255, 4096, 4097, 65537, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63, 10**30, 10**400)
FLOATS = (0.0, -0.0, 0.5, 1.0, -1.5, 5e-324, 1e-30, 1e30, 1.7e308, float("nan"), float("inf"), float("-inf"))
DEEP = "as deep as "
"""What is too deep to be written as JSON by Python stands in the data as text until the end."""
PAIR = re.compile(r'"[^"\\]+": ("[^"\\]*"|-?[0-9.]+|true|false|null)')


def mutate_json(random: Random, data: Any) -> bytes:
    """Change a copy of some JSON data in one to three places; return it as text, which may be no JSON any more."""
    data = copy.deepcopy(data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        data = _mutate(random, data)
    text = json.dumps(data, ensure_ascii=random.random() < 0.7)
    text = re.sub(f'"{DEEP}([0-9]+)"', lambda found: "[" * int(found[1]) + "1" + "]" * int(found[1]), text)
    if random.random() < 0.05 and (pairs := list(PAIR.finditer(text))):
        pair = random.choice(pairs)
        text = f"{text[: pair.start()]}{pair[0]}, {text[pair.start() :]}"
    if random.random() < 0.03:
        text = text.replace(str(random.randrange(10)), random.choice(("1e999", "9" * 5000, "-", "0x1", "01")), 1)
    return text.encode("utf-8", "surrogatepass")


def _mutate(random: Random, data: Any) -> Any:
    places = list(_places(data))
    holder, key = random.choice(places)
    value = holder[key]
    match random.randrange(10):
        case 0 | 1 | 2:
            holder[key] = _value(random)
        case 3 | 4:
            holder[key] = _near(random, value)
        case 5:
            del holder[key]
        case 6:
            other, at = random.choice(places)
            holder[key] = copy.deepcopy(other[at])
        case 7 if isinstance(holder, list):
            holder.extend(copy.deepcopy([value] * random.choice((1, 1, 2, 1000))))
        case 7:
            holder[random.choice((*WORDS, "why", "x" * 30))] = value
        case 8:
            holder[key] = f"{DEEP}{random.choice((1, 2, 100, 300, 2000, 100_000))}"
        case _ if isinstance(holder, list):
            random.shuffle(holder)
        case _:
            other, at = random.choice(places)
            holder[key], other[at] = other[at], value
            if _has_cycle(data):
                holder[key] = None
    return data


def _has_cycle(data: Any) -> bool:
    try:
        json.dumps(data)
    except ValueError as error:
        return "Circular" in str(error)
    return False


def _places(data: Any) -> Any:
    """Yield each place of some JSON data as what holds it and its key there."""
    stack = [data]
    while stack:
        holder = stack.pop()
        for key, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            yield holder, key
            if isinstance(value, dict | list):
                stack.append(value)


def _value(random: Random) -> Any:
    """A value of any type, often an extreme one."""
    return random.choice(
        (
            lambda: random.choice(INTEGERS) * random.choice((1, 1, -1)),
            lambda: random.choice(FLOATS),
            lambda: random.choice(WORDS),
            lambda: "x" * random.choice((1, 24, 25, 100, 101, 100_000)),
            lambda: "".join(chr(random.choice((32, 90, 200, 0x4E00, 0x1F600)) + random.randrange(30)) for _ in "12345"),
            lambda: random.choice((None, True, False, [], {}, [None], {"a": 1}, [[]], [0] * 1000)),
        )
    )()


def _near(random: Random, value: Any) -> Any:
    """A value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return random.choice((value + 1, value - 1, -value, value * 2, value // 2, value * 1000, value + 2**32))
    if isinstance(value, float):
        return random.choice((value * 2, -value, value + 1e-9, value * 1e9, value / 1e9, 1 - value))
    if isinstance(value, str):
        return random.choice((value[:-1], value + "x", value.upper(), value * 10, value + "\n", value + "\u0301"))
    return _value(random)


def mutate_bytes(random: Random, content: bytes) -> bytes:
    """Change some bytes: flipped, overwritten by extremes, cut out, doubled, cut off, or something put in."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8))):
        at, size = random.randrange(len(changed) or 1), random.choice((1, 2, 4, 8, 64))
        match random.randrange(6):
            case 0:
                changed[at : at + 1] = bytes([changed[at] ^ (1 << random.randrange(8))]) if changed else b""
            case 1:
                changed[at : at + size] = random.choice((b"\xff", b"\x00", b"\x7f", b"\x80")) * size
            case 2:
                del changed[at : at + size]
            case 3:
                changed[at:at] = changed[at : at + size] * random.choice((1, 2, 100))
            case 4:
                del changed[at:]
            case _:
                changed[at:at] = random.choice((b"[", b"{", b'"', b",", b"\\u", b"9" * 30, b"\xef\xbb\xbf", b"NaN"))
    return bytes(changed)


def mutate_safetensors(random: Random, content: bytes) -> bytes:
    """Change the header of a safetensors file as JSON or its length, or the numbers after it."""
    (size,) = struct.unpack("<Q", content[:8])
    header, numbers = content[8 : 8 + size], content[8 + size :]
    if random.random() < 0.5:
        header = mutate_json(random, json.loads(header))
        size = random.choice((len(header), len(header), len(header), 0, 1, 2**40, 2**64 - 1))
    else:
        numbers = mutate_bytes(random, numbers)
    return struct.pack("<Q", size) + header + numbers
