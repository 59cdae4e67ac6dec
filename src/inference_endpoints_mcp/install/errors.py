"""Why a configuration file is left as it is."""


class InstallError(Exception):
    """Nothing was changed. The message says why, and what to do."""
