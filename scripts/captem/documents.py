"""Pandoc and Typst, as the wheels bring them: a text to Word, HTML and PDF, without a network.

The same text gives the same bytes: pandoc gets a fixed time, and a PDF has no date. Both run in a
folder of their own, so that no path of this machine gets into a document.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from captem.errors import CaptemError

_EPOCH = "315532800"  # 1980, before which a zip container has no time
_SECONDS = 300
MARKDOWN = "markdown-implicit_figures"


def pandoc(arguments: Sequence[str], text: bytes, folder: Path | None = None) -> bytes:
    """Run pandoc on a text in a folder and return what it writes.

    Raises
    ------
    CaptemError
        With pandoc's own words, if it refuses.
    """
    import pypandoc

    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment |= {"SOURCE_DATE_EPOCH": _EPOCH, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [pypandoc.get_pandoc_path(), *arguments],
        input=text, capture_output=True, cwd=folder, env=environment, timeout=_SECONDS,
        check=False,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace")
        raise CaptemError(f"pandoc could not make the document: {' '.join(said.split())}")
    return done.stdout


def converted(
    text: str,
    form: str,
    *,
    files: Mapping[str, bytes],
    options: Sequence[str] = (),
) -> bytes:
    """Return a Markdown text as `docx`, `html` or `typst`.

    Parameters
    ----------
    files : what the text and the options name, by name: pictures, references, styles, templates.
    options : further arguments of pandoc.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, data in files.items():
            (folder / path).write_bytes(data)
        ending = {"html": "html5"}.get(form, form)
        arguments = ["--from", MARKDOWN, "--to", ending, "--standalone", "--output", "made"]
        pandoc([*arguments, *options], text.encode("utf-8"), folder)
        return (folder / "made").read_bytes()


def pdf(typst_text: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return a text of Typst as PDF, tagged for screen readers (PDF/UA-1).

    Raises
    ------
    CaptemError
        With Typst's own words, if it refuses.
    """
    import typst

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, data in files.items():
            (folder / path).write_bytes(data)
        (folder / "made.typ").write_bytes(typst_text)
        try:
            made = typst.compile(
                str(folder / "made.typ"), root=str(folder), ignore_system_fonts=True,
                format="pdf", pdf_standards=["ua-1"], timestamp=int(_EPOCH),
            )  # fmt: skip
        except typst.TypstError as error:
            said = re.sub(r"\s+", " ", str(error)).replace(str(folder), "")
            raise CaptemError(f"typst could not make the PDF: {said}") from None
    return bytes(made)
