"""What a * stands for in the filters of ECR: any run of characters, also none. Nothing else is special."""


def matches(pattern: str, text: str) -> bool:
    """True when the whole text fits the pattern."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    *middle, last = others
    # Each part at its earliest place: a regular expression would try every other place too, for hours.
    position = len(first)
    for part in middle:
        found = text.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return text.startswith(first) and text.endswith(last) and position + len(last) <= len(text)
