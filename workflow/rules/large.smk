# Optimisations of Snakemake 9.27 for large matrices. Included last; no rule changes its meaning. Each
# comment names the work that is skipped.
import gc

from snakemake.dag import DAG
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.types import Quietness

# The jobs of a matrix live as long as Snakemake does: Python need not look at all of them again for
# every few hundred objects that it makes.
gc.set_threshold(100_000, 50, 100)

# All params of every job, to see whether its environment depends on them (Job.conda_env_spec),
# though nobody wants environments unless they are deployed.
if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    DAG.update_conda_envs = lambda dag: None

# A dry run is scheduled like a real one, to print its jobs, and also where nobody sees them.
schedule = JobScheduler.schedule


def schedule_or_print(scheduler):
    if not scheduler.dryrun:
        return schedule(scheduler)
    dag, quiet = workflow.dag, workflow.output_settings.quiet or set()
    if {Quietness.RULES, Quietness.ALL}.isdisjoint(quiet) or MACHINE is not None:
        jobs = [dag._group.get(job, job) for job in dag.jobs if dag.needrun(job)]
        for job in reversed(dict.fromkeys(jobs)):
            scheduler._executor.printjob(job)
    scheduler._executor.shutdown()
    return True


JobScheduler.schedule = schedule_or_print
