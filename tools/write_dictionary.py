"""Write the data dictionary and the cross-checks into config/README.md, from the code.

python tools/write_dictionary.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from captem import cross_checks  # noqa: E402
from captem.schemas import LESIONS, PATIENTS, dictionary  # noqa: E402

MANUAL = ROOT / "config/README.md"


def main() -> None:
    """Replace what stands between the marks of each table."""
    text = MANUAL.read_text(encoding="utf-8")
    blocks = {
        "patients": dictionary(PATIENTS),
        "lesions": dictionary(LESIONS),
        "checks": cross_checks.listing(),
    }
    for name, lines in blocks.items():
        block = f"<!-- {name} -->\n{lines}<!-- end -->"
        text = re.sub(f"<!-- {name} -->\n.*?<!-- end -->", lambda _: block, text, flags=re.DOTALL)  # noqa: B023
    MANUAL.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
