"""Counts in sentences."""


def counted(count: int, noun: str) -> str:
    """A number and what it counts, in the singular or the plural.

    Example:
        >>> counted(1, "class"), counted(1200, "picture"), counted(2, "class"), counted(2, "query"), counted(2, "box")
        ('1 class', '1,200 pictures', '2 classes', '2 queries', '2 boxes')
    """
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{count:,} {noun[:-1]}ies"
    return f"{count:,} {noun}{'es' if noun.endswith(('s', 'x')) else 's'}"
