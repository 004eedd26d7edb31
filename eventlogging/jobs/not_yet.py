"""What a duty says when its time has not come yet."""


class NotYet(Exception):
    """Raised by a duty that cannot be done now; its run is given back and tried again soon.

    The text says what it waits for.
    """
