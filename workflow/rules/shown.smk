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
    sortable,
    training_label,
    training_overview,
)
from workflow.keys import shown_key
from workflow.showing import marked


def shows(cells, name):
    """Files of cells as input of what shows them; what was made of others is made again.

    Args:
        cells: of wildcards.
        name: of the page, which says what it was made of, below the folder of pages; of wildcards.
    """

    @as_workflow_error
    def inputs(wildcards):
        found = list(cells(wildcards))
        if workflow.is_main_process:
            use_keys_only()
            path = Path(RESULTS, "pages", f"{name(wildcards)}.html")
            # Without its page nothing says what the other files were drawn from.
            try:
                why = "drawn from other cells, or with other code or config"
                fresh = stamped(path) == shown_key(KEYS, MATRIX, found)
            except FileNotFoundError:
                why = fresh = ""
            except FileError:
                why = "changed, or a file made with it was, since it was drawn"
                fresh = False
            if not fresh:
                make_again(path.parent if path.parent.name != "pages" else path, why)
        return files(found)

    return inputs


ARTIFACTS = registry.ARTIFACTS
if workflow.is_main_process and (unshown := list(problems(ARTIFACTS.values(), MATRIX))):
    raise WorkflowError("the config cannot be used:\n" + "\n".join(unshown))
LABELLED = {label(artifact): artifact for artifact in ARTIFACTS.values()}


# What pages of training curves are of.
CURVES = {training_label(name): name for name in MATRIX.config.experiments}
CURVES |= {training_overview(name): name for name in (ALL, *MATRIX.config.experiments)}


def page(name, caption):
    """A page as output, listed in the report; its name may have wildcards."""
    return listed(f"{RESULTS}/pages/{name}.html", name, caption)


def pages_in(folder, caption):
    """A folder of pages as output, each listed in the report by its file's name."""
    return listed(directory(folder), "{label}", caption, patterns=["{label}.html"])


def listed(file, name, caption, **options):
    """Output that the report lists under a name, which may have wildcards."""

    def of_name(function):
        return lambda wildcards: function(name.format(**wildcards))

    return report(
        file,
        caption=f"../report/{caption}.rst",
        category=of_name(page_category),
        labels=of_name(page_labels),
        **options,
    )


def page_category(name):
    """Where the report shows a page; it sorts categories by name."""
    if name in CURVES:
        return "5 Training curves"
    if name in LABELLED:
        is_table = LABELLED[name].name in registry.TABLES
        return "2 Tables" if is_table else "3 Figures"
    return {PROGRESS: "0 Progress", CLAIMS: "1 Claims", PROTOCOL: "4 Protocol"}[name]


def page_labels(name):
    """What the report shows of a page in its list."""
    if name in CURVES:
        title, cells = name, trained_cells(MATRIX, CURVES[name])
    elif name in LABELLED:
        title, cells = sortable(LABELLED[name].title), LABELLED[name].cells(MATRIX)
    else:
        return {"title": name}
    datasets = marked(MATRIX.config, Path(RESULTS, "data")).datasets
    shown = {cell.model.network.dataset for cell in cells}
    on_stand_in = any(datasets[name].stand_in_for for name in shown)
    return {"title": title + ("\N{NO-BREAK SPACE}†" if on_stand_in else "")}


def artifact_cells(wildcards):
    return ARTIFACTS[wildcards.artifact].cells(MATRIX)


def artifact_page(wildcards):
    return f"{wildcards.artifact}/{label(ARTIFACTS[wildcards.artifact])}"


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
