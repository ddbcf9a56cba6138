"""An LSTM over tokens that the captions teach."""

from nearkin.encoders.texts._recurrent import RecurrentKind

TOWER = RecurrentKind("lstm", "an LSTM over tokens learned from the captions")
