"""The text of spec.json -> a document of the right shape.

Enters: bytes. Leaves: a ``SpecDocument``, or an issue for each place where the shape is wrong.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from connectome2net.errors import Issue
from connectome2net.spec.model import FORMAT_VERSION, SpecDocument
from connectome2net.spec.part import Part

AnyPart = TypeVar("AnyPart", bound=Part)

MOST_BYTES: Final = 64 * 1024**2
"""The longest spec.json that is read; one of 100,000 cells whose tables disagree about all of them has 20 MB."""
MOST_COMMAS: Final = 2_000_000
MOST_ERRORS: Final = 10_000
"""The most values that are looked at, and the most places that are listed: each takes a kilobyte."""

ADD = "add it"
CHANGE = "change the value, or leave the key out if it has a default"
REMOVE = "remove it or mend its spelling"


def parse_document(content: bytes) -> tuple[SpecDocument | None, list[Issue]]:
    """Return the document if its shape is right, and everything that is wrong with its shape."""
    if long := too_long(len(content), content.count(b",")):
        return None, [long]
    try:
        text = content.decode("utf-8-sig")
        data = json.loads(text, object_pairs_hook=_each_key_once)
    except (ValueError, RecursionError) as error:
        return None, [_no_json(error)]
    version = data.get("format_version") if isinstance(data, dict) else None
    if type(version) is int and version > FORMAT_VERSION:
        fix = "use a newer connectome2net"
        return None, [Issue("/format_version", _short(version), f"at most {FORMAT_VERSION}", fix)]
    return fit(SpecDocument, data)


def too_long(size: int, commas: int = 0) -> Issue | None:
    """Return an issue if a spec.json has more bytes or commas than any spec needs."""
    for found, most, what in ((size, MOST_BYTES, "bytes"), (commas, MOST_COMMAS, "commas")):
        if found > most:
            return Issue("/", f"{found:,} {what}", f"at most {most:,}", "extract again")
    return None


def fit(shape: type[AnyPart], data: Any) -> tuple[AnyPart | None, list[Issue]]:
    """Return data as a part of a spec if it has its shape, and everything that is wrong with its shape."""
    try:
        return shape.model_validate_json(json.dumps(data), strict=True), []
    except ValidationError as error:
        if (places := error.error_count()) > MOST_ERRORS:
            return None, [Issue("/", f"{places:,} places that do not fit", shape.__name__, "extract again")]
        return None, [_issue(data, item) for item in error.errors(include_url=False) if not _follows(data, item)]


def _follows(data: Any, item: Any) -> bool:
    """Tell whether a list is too short only because pydantic did not count its wrong items."""
    return item["type"] == "too_short" and len(_locate(data, item["loc"])[1]) > item["ctx"]["actual_length"]


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {_short(twice)} twice in {_short(content)}")
    return content


def _no_json(reason: object) -> Issue:
    return Issue("/", f"no JSON ({reason})", "a JSON object", "mend the text or extract again")


def _issue(data: Any, item: Any) -> Issue:
    """Return the issue that one entry of pydantic's list tells of."""
    path, found = _locate(data, item["loc"])
    context = item.get("ctx", {})
    tag = f"{path}/{context.get('discriminator', '').strip(chr(39))}"
    match item["type"]:
        case "json_invalid":
            return _no_json(context["error"])
        case "missing":
            return Issue(path, "nothing", "a value", ADD)
        case "extra_forbidden":
            return Issue(path, "a key that the format does not have", "no such key", REMOVE)
        case "union_tag_not_found":
            return Issue(tag, "nothing", "a value", ADD)
        case "union_tag_invalid":
            return Issue(tag, _cut(repr(context["tag"])), context["expected_tags"].replace(", ", " or "), CHANGE)
        case "string_pattern_mismatch":
            return Issue(path, _short(found), f"text that matches {context['pattern']}", CHANGE)
    wanted = re.sub(r"^(\w+ should (be |have )?|Value error, )", "", item["msg"]).split(" after validation")[0]
    return Issue(path, _short(found), wanted, CHANGE)


def _locate(data: Any, location: Sequence[int | str]) -> tuple[str, Any]:
    """Return the JSON pointer of a pydantic location, and what is there.

    A location has steps that the JSON has not: the tags of unions, and ``[key]`` where a key itself is wrong.
    """
    path = ""
    for depth, step in enumerate(location):
        inside = isinstance(data, dict) and step in data
        inside |= isinstance(data, list) and isinstance(step, int) and step < len(data)
        if inside:
            data = data[step]
        elif step == "[key]":
            return path, location[depth - 1]
        elif depth < len(location) - 1 or not isinstance(data, dict):
            continue
        path += "/" + str(step).replace("~", "~0").replace("/", "~1")
    return path or "/", data


def _short(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False, default=str))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
