"""The protocols: each file declares one, by `PROTOCOL`; adding one is adding its file."""

from nearkin.evaluation.protocol import Protocol, options_of
from nearkin.registry import Registry

# By the names of the command line: "few-shot" is few_shot.py.
PROTOCOLS: Registry[Protocol] = Registry(__name__, "PROTOCOL", "protocol")


def protocol_names() -> tuple[str, ...]:
    """Names as they stand in reports, with underscores; nothing is imported.

    Example:
        >>> "few_shot" in protocol_names()
        True
    """
    return tuple(name.replace("-", "_") for name in PROTOCOLS.names)


def protocols_in_order() -> dict[str, Protocol]:
    """All protocols by their names in reports, in the order of reports.

    Example:
        >>> next(iter(protocols_in_order()))
        'retrieval'
    """
    return dict(sorted(((name, PROTOCOLS[name]) for name in protocol_names()), key=lambda one: one[1].order))


def protocols_table() -> str:
    """The table of protocols in docs/evaluation.md, in Markdown.

    Example:
        >>> print(protocols_table().splitlines()[0])
        | protocol | what is asked | figures | options |
    """
    rows = [["protocol", "what is asked", "figures", "options"], ["---"] * 4]
    for name, protocol in protocols_in_order().items():
        options = ", ".join(f"`--{one.name.replace('_', '-')}`" for one in options_of(protocol))
        rows.append([name.replace("_", "-"), protocol.summary, protocol.metrics, options or "-"])
    return "\n".join(f"| {' | '.join(row)} |".replace("| --- ", "|---").replace("--- |", "---|") for row in rows)
