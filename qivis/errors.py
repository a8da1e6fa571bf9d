"""What goes wrong in the caller's world; tools turn these into one line and exit code 2."""


class QivisError(Exception):
    """The user's input is wrong: the message names the thing, what was expected, and the remedy."""


class ConfigError(QivisError):
    """A configuration file or an override does not fit the schema."""


class DataError(QivisError):
    """An image, an annotation file or an output folder cannot be used."""


class VideoError(QivisError):
    """A video cannot be opened or decoded."""


class WeightsError(QivisError):
    """A weights file is missing, damaged, or belongs to another model."""
