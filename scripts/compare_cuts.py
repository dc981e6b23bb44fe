"""Compare this run with a frozen data cut: what is other in data and estimates, and why."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    import json
    from pathlib import Path

    from captem import (
        attribution,
        changed_data,
        changed_statistics,
        comparison,
        origin,
        plan,
        plan_words,
        worries,
    )
    from captem.files import read_frame, write_bytes, write_frame, write_text

    params, given = snakemake.params, snakemake.input
    folder = Path(params.folder)
    record = json.loads((folder / "cut.json").read_text(encoding="utf-8"))
    program = json.loads(Path(given.provenance).read_text(encoding="utf-8"))
    TABLES = ("patients", "lesions", "repairs", "eligibility", "sources")
    old = attribution.Data(
        read_frame(folder / "cohort/patients.csv"), read_frame(folder / "cohort/lesions.csv")
    )
    new = attribution.Data(read_frame(given.patients), read_frame(given.lesions))
    frozen, current = read_frame(folder / "statistics.csv"), read_frame(given.statistics)
    data = changed_data.compare(
        {name: changed_data.read_texts(folder / f"cohort/{name}.csv") for name in TABLES},
        {name: changed_data.read_texts(given[name]) for name in TABLES},
    )
    found = comparison.Comparison(
        changed_statistics.compare(frozen, current, params.alpha),
        data,
        attribution.attribute(old, new, frozen, current, record["config"], params.config),
        worries.worries(old, new, data, record.get("withdrawn", 0)),
        record.get("withdrawn", 0),
        all(record[name] == program[name] for name in ("code", "python", "packages")),
    )
    looks = ()
    if params.plan:
        then = folder / "plan/looks.csv"
        was = ""
        if then.is_file():
            was = plan_words.of_frozen(record["cut"], read_frame(then), params.taken)
        now = plan_words.of_look(plan.from_params(params.plan), read_frame(given.looks))
        looks = tuple(filter(None, [was, now]))
    about = comparison.About(
        params.study,
        record["cut"],
        params.cut,
        params.frozen_on,
        origin.data_kind(read_frame(given.sources)),
        looks,
    )
    figures = []
    for name, title in params.figures.items():
        then = [folder / f"figures/{name}.{kind}" for kind in ("svg", "png")]
        old_svg, old_png = (path.read_bytes() if path.is_file() else None for path in then)
        new_svg, new_png = (Path(given[f"{name}_{kind}"]).read_bytes() for kind in ("svg", "png"))
        figures.append(comparison.Pair(name, title, old_svg, new_svg, old_png, new_png))
    write_frame(snakemake.output.data, found.data)
    write_frame(snakemake.output.statistics, found.statistics)
    write_frame(snakemake.output.attribution, found.attribution)
    write_frame(snakemake.output.worries, found.worries)
    write_bytes(snakemake.output.docx, comparison.to_docx(found, about, figures))
    page = comparison.render(
        Path(given.template).read_text(encoding="utf-8"),
        Path(given.script).read_text(encoding="utf-8"),
        found,
        about,
        figures,
    )
    write_text(snakemake.output.html, page)
