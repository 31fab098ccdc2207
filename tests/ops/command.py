"""The command, as an operator runs it."""

import os
import subprocess
import sys

from streams.settings import environment


def awaken(settings, *words):
    """`awaken` with these words, for the deployment of these settings."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWAKEN_")}
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *words],
        env=inherited | environment(settings) | {"COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
