# What shows results: when it has to be made again, and how pages are listed in the report.
from pathlib import Path

from rst_core.pages import stamped
from rst_core.storage import FileError
from workflow.artifacts import registry
from workflow.artifacts.coverage import problems
from workflow.artifacts.figures.training_parts import ALL, trained_cells
from workflow.artifacts.report.page import (
    CLAIMS,
    PROGRESS,
    PROTOCOL,
    label,
    page_name,
    sortable,
    training_label,
    training_overview,
)
from workflow.keys import shown_key
from workflow.marks import marked


def shows(cells, page):
    """Files of cells as input of what shows them; what was made of others is made again.

    Args:
        cells: of wildcards.
        page: path of the page, which says what it was made of, of wildcards.
    """

    @asked
    def inputs(wildcards):
        found = list(cells(wildcards))
        if workflow.is_main_process:
            rest_on_keys()
            path = Path(page(wildcards))
            # Without its page nothing says what the other files were drawn from.
            try:
                why = "drawn from other cells, or with other code or config"
                fresh = stamped(path) == shown_key(KEYS, MATRIX, found)
            except FileNotFoundError:
                why = fresh = ""
            except FileError:
                why, fresh = (
                    "changed, or a file made with it was, since it was drawn",
                    False,
                )
            if not fresh:
                make_again(path.parent if path.parent.name != "pages" else path, why)
        return files(found)

    return inputs


ARTIFACTS = registry.TABLES | registry.FIGURES
if workflow.is_main_process and (unshown := list(problems(ARTIFACTS.values(), MATRIX))):
    raise WorkflowError("the config cannot be used:\n" + "\n".join(unshown))
LABELLED = {label(artifact): artifact for artifact in ARTIFACTS.values()}


# What pages of training curves are of.
CURVES = {training_label(name): name for name in MATRIX.config.experiments}
CURVES |= {training_overview(name): name for name in (ALL, *MATRIX.config.experiments)}


def name_of_page(wildcards):
    """A page's name without its ending."""
    if "experiments" in wildcards.keys():
        return training_overview(wildcards.experiments)
    return getattr(wildcards, "label", PROTOCOL)


def page_category(wildcards):
    """Where the report shows a page; it sorts categories by name."""
    name = name_of_page(wildcards)
    if name in CURVES:
        return "5 Training curves"
    if name in LABELLED:
        is_table = LABELLED[name].name in registry.TABLES
        return "2 Tables" if is_table else "3 Figures"
    return {PROGRESS: "0 Progress", CLAIMS: "1 Claims", PROTOCOL: "4 Protocol"}[name]


def page_labels(wildcards):
    """What the report shows of a page in its list."""
    title = name = name_of_page(wildcards)
    if name in CURVES:
        cells = trained_cells(MATRIX, CURVES[name])
    elif name in LABELLED:
        title, cells = sortable(LABELLED[name].title), LABELLED[name].cells(MATRIX)
    else:
        return {"title": name}
    datasets = marked(MATRIX.config, Path(RESULTS, "data")).datasets
    shown = {cell.model.network.dataset for cell in cells}
    foreign = any(datasets[name].stand_in_for for name in shown)
    return {"title": title + ("\N{NO-BREAK SPACE}†" if foreign else "")}


def artifact_cells(wildcards):
    return ARTIFACTS[wildcards.artifact].cells(MATRIX)


def artifact_page(wildcards):
    name = page_name(ARTIFACTS[wildcards.artifact])
    return f"{RESULTS}/pages/{wildcards.artifact}/{name}"


def cells_of_claims(wildcards):
    """The cells that the statements are about; every job reads this file, and needs no pandas."""
    from workflow.artifacts.claims import claim_cells

    return claim_cells(MATRIX)


def files_of(cells):
    """Files of many cells, only worked out by who asks for them: every job reads this file."""
    return lambda wildcards: [MATRIX.file(cell) for cell in cells()]


def always(path):
    """No input, but have this output made again whenever it is asked for."""

    def inputs(wildcards):
        make_again(path)
        return []

    return inputs
