"""Make the files of `tests/corpus` that are no plain text: python tests/make_corpus.py

All that they hold is invented. The same call gives the same files, but for what a new version of
the libraries that write SPSS and Parquet files changes in them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"

PLAIN = "patient_id,krenning_pre,krenning_post\nA,1,2\nB,3,4\n"
LETTERS = "patient_id,primary_site,krenning_pre,krenning_post\nA,Dünndarm,≤1,3\n"
GERMAN = "patient_id;primary_site;mib1;krenning_pre;krenning_post\nA;Dünndarm;7–8;1;3\n"


def texts() -> dict[str, bytes]:
    """Return the files whose encoding or line ends matter."""
    return {
        "delimiters/no_final_line_end.csv": PLAIN.rstrip("\n").encode(),
        "delimiters/windows_lines.csv": PLAIN.replace("\n", "\r\n").encode(),
        "delimiters/old_mac_lines.csv": PLAIN.replace("\n", "\r").encode(),
        "delimiters/mixed_lines.csv": b"patient_id,krenning_pre,krenning_post\r\n"
        b"A,1,2\nB,3,4\rC,0,1\r\n",
        "encodings/utf8_bom.csv": LETTERS.encode("utf-8-sig"),
        "encodings/utf8.csv": LETTERS.encode(),
        "encodings/utf16_le.txt": LETTERS.replace(",", "\t").encode("utf-16"),
        "encodings/utf16_be.csv": b"\xfe\xff" + LETTERS.encode("utf-16-be"),
        "encodings/utf16_without_mark.csv": LETTERS.encode("utf-16-le"),
        "encodings/windows_1252.csv": GERMAN.replace("\n", "\r\n").encode("cp1252"),
        "encodings/latin_headings.csv": (
            "patient_id;Primärtumor;krenning_pre;krenning_post\r\nA;Lunge;1;3\r\n"
        ).encode("cp1252"),
        "encodings/nul_bytes.csv": bytes(range(256)) * 4,
        "encodings/dos_end.csv": b"patient_id,krenning_pre,krenning_post\r\nA,1,2\r\n\x1a",
    }


def files() -> dict[str, Callable[[], bytes]]:
    """Return name -> what makes the file, of every file that this script writes."""
    made: dict[str, Callable[[], bytes]] = {}
    for name, data in texts().items():
        made[name] = lambda data=data: data
    return made


def main() -> None:
    for name, make in files().items():
        path = CORPUS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make())


if __name__ == "__main__":
    main()
