# What Snakemake says: of a run a line a finished job, of a dry run the number of jobs, and all of it
# with --verbose, --printshellcmds or any --quiet.
from snakemake.logging import DefaultFilter
from snakemake.settings.enums import Quietness

from workflow.progress import ProgressHandler


def show_progress():
    """Replace what Snakemake shows; its log file stays as it is."""
    shown = workflow.output_settings
    if (
        not workflow.is_main_process
        or shown.verbose
        or shown.printshellcmds
        or shown.quiet
    ):
        return
    for handler in list(logger.handlers):
        if handler.name != "DefaultStreamHandler":
            continue
        if shown.dryrun:
            for one in handler.filters:
                if isinstance(one, DefaultFilter):
                    one.quiet = {Quietness.RULES}
        else:
            logger.removeHandler(handler)
            logger.addHandler(ProgressHandler())


show_progress()
