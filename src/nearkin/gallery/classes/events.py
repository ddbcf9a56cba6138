"""Events of the class registry: each is one row of the log, and says one thing about one name or one example."""

from enum import StrEnum

from nearkin.arrow import pa


class Action(StrEnum):
    """What was said."""

    ENROLL = "enroll"
    """This is an example of the class."""
    REJECT = "reject"
    """This is no example of the class, and neither are near copies of it."""
    IGNORE = "ignore"
    """This is no example of any class: a stranger."""
    FORGET = "forget"
    """The examples of the class so far count no more."""
    RENAME = "rename"
    """What was said of the class is of another name."""
    MERGE = "merge"
    """What was said of the class is of another class, that has examples too."""
    UNDO = "undo"
    """A change counts no more."""
    ERASE = "erase"
    """Rows were removed from the log here."""


class Kind(StrEnum):
    """What an example is."""

    PICTURE = "picture"
    REGION = "region"
    TEXT = "text"
    ATTRIBUTES = "attributes"
    VECTOR = "vector"


PICTURES = (Kind.PICTURE, Kind.REGION)

SCHEMA = pa.schema(
    [
        # Position in the log, from 1 on; gaps mean nothing.
        pa.field("number", pa.int64(), nullable=False),
        # Number of the first event of the same call: what `undo` takes back as one.
        pa.field("change", pa.int64(), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        # The name as it was typed, and what equal names have in common.
        pa.field("class", pa.string()),
        pa.field("key", pa.string()),
        # The new name of a rename, the other class of a merge.
        pa.field("to", pa.string()),
        # The change that an undo takes back.
        pa.field("event", pa.int64()),
        # The example.
        pa.field("kind", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("text", pa.string()),
        pa.field("attributes", pa.list_(pa.float64())),
        # What the numbers are of. Galleries made before this was kept have none.
        pa.field("attribute_names", pa.list_(pa.string())),
        pa.field("box", pa.list_(pa.int32())),
        pa.field("item_id", pa.int64()),
        # Encoded, at most 512 pixels a side: an example outlives its file, and can be embedded by another encoder.
        pa.field("picture", pa.large_binary()),
        # Of the bytes that the user gave.
        pa.field("content_hash", pa.string()),
        # Of what is embedded: names its vector.
        pa.field("payload_key", pa.string()),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("by", pa.string()),
        pa.field("why", pa.string()),
    ]
)
# All that is needed to know what counts; pictures are read only to be embedded or shown.
LIGHT = [name for name in SCHEMA.names if name != "picture"]
