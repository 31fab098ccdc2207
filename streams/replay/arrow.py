"""pyarrow, which reads CSV, Parquet and zstd: needed for these alone, and named where it is missing."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from streams.settings import SettingsError


def needed(module: str, path: Path) -> Any:
    """Return a module of pyarrow's.

    Raises:
        SettingsError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise SettingsError(f"{path}: needs pyarrow to be read: pip install 'awaken[replay]'") from error
