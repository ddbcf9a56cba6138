"""`--detect faces`: the faces of photos in place of the photos."""


def faces_in(pictures: list[str], detect: str | None, *, largest: bool) -> list[str]:
    """The faces of photos, as names of regions, if `--detect faces` was given; else the pictures as they are.

    Photos that cannot be read stay as they are, for the command itself to say so.

    Raises:
        InvalidInput: no face in any of them; those without one are named beside others.
    """
    from nearkin.cli.options import check_detect
    from nearkin.errors import InvalidInput

    if not check_detect(detect):
        return pictures
    from nearkin.cli.commands.detect import print_without
    from nearkin.tasks.detect import regions_of

    regions, without = regions_of(pictures, largest=largest)
    if not regions:
        raise InvalidInput(f"no face found in {without[0] if len(without) == 1 else f'any of {len(without):,} photos'}")
    print_without(without)
    return regions
