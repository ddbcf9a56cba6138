"""Twenty words that the demo asks for in Russian and in English, and the emoji that count as right.

They were written down before any figure was known, and are not adjusted to one. Half of the emoji named for each word,
and at least one, is held out: of these the demo learns neither pictures nor names. All that is held out is searched.
"""

from typing import NamedTuple


class Word(NamedTuple):
    """A common noun.

    Args:
        ru, en: the noun.
        right: emoji that show it; each is one answer that counts.
    """

    ru: str
    en: str
    right: tuple[str, ...]


def _word(ru: str, en: str, right: str) -> Word:
    return Word(ru, en, tuple(right.split()))


WORDS = (
    _word("кошка", "cat", "🐈 🐱 🐈‍⬛ 😺 😸 😹 😻 😼 😽 🙀 😿 😾"),
    _word("собака", "dog", "🐕 🐶 🦮 🐕‍🦺 🐩"),
    _word("дом", "house", "🏠 🏡 🏘 🏚"),
    _word("машина", "car", "🚗 🚘 🚙 🏎 🚓 🚔 🚕 🚖"),
    _word("дерево", "tree", "🌳 🌲 🌴 🎄 🎋"),
    _word("цветок", "flower", "🌸 🌺 🌻 🌼 🌷 🌹 💐 🥀 🏵 💮 🪷 🪻"),
    _word("рыба", "fish", "🐟 🐠 🐡 🎣"),
    _word("птица", "bird", "🐦 🐤 🐥 🐣 🐔 🦅 🦆 🦉 🦜 🐧 🦚 🦢 🦩 🕊 🦃 🐓 🦤 🐦‍⬛ 🪿 🐦‍🔥"),
    _word("яблоко", "apple", "🍎 🍏"),
    _word("хлеб", "bread", "🍞 🥖 🫓 🥐 🥯"),
    _word("солнце", "sun", "☀ 🌞 🌅 🌄 🌇 🌤 ⛅ 🌥 🌦"),
    _word("сердце", "heart", "❤ 🧡 💛 💚 💙 💜 🖤 🤍 🤎 🩷 🩵 🩶 💔 ❣ 💕 💞 💓 💗 💖 💘 💝 💟 ♥ 🫀 ❤‍🔥 ❤‍🩹"),
    _word("часы", "clock", "⌚ ⏰ ⏱ ⏲ 🕰 🕐 🕑 🕒 🕓 🕔 🕕 🕖 🕗 🕘 🕙 🕚 🕛 🕜 🕝 🕞 🕟 🕠 🕡 🕢 🕣 🕤 🕥 🕦 🕧"),
    _word("книга", "book", "📕 📖 📗 📘 📙 📚 📓 📔 📒"),
    _word("самолёт", "airplane", "✈ 🛩 🛫 🛬"),
    _word("корабль", "ship", "🚢 🛳 ⛴"),
    _word("мяч", "ball", "⚽ 🏀 🏈 ⚾ 🥎 🎾 🏐 🏉"),
    _word("звезда", "star", "⭐ 🌟 🌠 💫 🔯 ✡"),
    _word("дождь", "rain", "🌧 ☔ 🌦 ⛈"),
    _word("ключ", "key", "🔑 🗝 🔐"),
)
