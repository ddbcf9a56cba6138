"""The pattern of LIKE as Lance reads it."""


def like_pattern(pattern: str, escape: str = "") -> str:
    r"""A pattern of standard SQL, with a backslash before each character that stands for itself.

    Args:
        pattern: `%` stands for any characters, `_` for one.
        escape: the character that takes the meaning from the one behind it; none unless `ESCAPE` says so.

    Raises:
        ValueError: the escape character stands before another character than `%`, `_` or itself.

    Example:
        >>> like_pattern("50!%%", "!"), like_pattern(r"C:\new%")
        ('50\\%%', 'C:\\\\new%')
    """
    parts, signs = [], iter(pattern)
    for sign in signs:
        if sign == escape:
            sign = next(signs, "")
            if sign not in ("%", "_", escape):
                raise ValueError(f"has the escape character {escape} before something else than %, _ or itself")
            parts.append("\\" + sign if sign in "%_\\" else sign)
        else:
            parts.append("\\\\" if sign == "\\" else sign)
    return "".join(parts)
