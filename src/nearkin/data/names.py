"""Names and texts in the one form that every table, gallery and terminal can hold: valid Unicode, composed (NFC)."""

import re
import unicodedata

# Python's stand-ins for bytes that are not UTF-8 (dc80 to dcff), and halves of a pair in JSON.
_SURROGATES = re.compile("[\ud800-\udfff]")

# What `printable` writes for a byte that is not UTF-8.
_BYTE_ESCAPES = re.compile(r"\\x([89a-f][0-9a-f])")

# What storage devices and operating systems leave beside pictures. Names that begin with a dot are passed over anyway.
_LITTER = frozenset(
    (
        *("@eadir", "@recycle", "@recently-snapshot", "@sharebin", "@tmp", "@__thumb", "@__qini"),
        *("@synoresource", "@synoeastream", "@appstore", "@database", "@app", "_gsdata_", "__pycache__"),
        *("#recycle", "#snapshot", "~snapshot", "lost+found", "lost.dir"),
        *("__macosx", "network trash folder", "temporary items"),
        *("$recycle.bin", "$recycle", "recycler", "system volume information"),
        *("$winreagent", "$sysreset", "config.msi", "paxheader"),
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),
    )
)
# The same, with a number or a name: what was open in Office, what a check of the disk found, what tar wrote.
_LITTER_PATTERN = re.compile(r"~\$.*|found\.\d{3}|paxheaders?\.\d+|syno@.*", re.DOTALL)


def printable(text: str) -> str:
    r"""The text with an escape such as \xef for each byte that is not UTF-8.

    Example:
        >>> printable("caf\udce9.png")
        'caf\\xe9.png'
    """
    if text.isascii():
        return text
    return _SURROGATES.sub(_escape, text)


def unescaped(text: str) -> str:
    r"""What `printable` made its text from, as a name that the file system takes.

    Example:
        >>> unescaped("caf\\xe9.png")
        'caf\udce9.png'
    """
    return _BYTE_ESCAPES.sub(lambda found: chr(0xDC00 + int(found[1], 16)), text)


def plain_text(text: str) -> str:
    r"""`printable`, and both Unicode forms of a letter as one.

    Example:
        >>> plain_text("e\u0301") == plain_text("\u00e9")
        True
    """
    return text if text.isascii() else unicodedata.normalize("NFC", printable(text))


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name belongs to a device or system, and to no collection of pictures.

    Example:
        >>> [is_litter(name) for name in ("@eaDir", "._1.png", "Thumbs.db", "cat")]
        [True, True, True, False]
    """
    lower = name.lower()
    return name.startswith(".") or lower in _LITTER or _LITTER_PATTERN.fullmatch(lower) is not None


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
