"""The one exception whose text is meant for the researcher."""


class CaptemError(Exception):
    """Something the researcher can mend: the message says what, where, why and what to do."""
