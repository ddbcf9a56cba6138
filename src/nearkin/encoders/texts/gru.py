"""A GRU over tokens that the captions teach."""

from nearkin.encoders.texts._recurrent import RecurrentKind

TOWER = RecurrentKind("gru", "a GRU over tokens learned from the captions")
