"""Kairos: a multi-protocol gateway."""

from kairos import _purepython as _purepython
from kairos._version import __version__ as __version__
