# Optimisations of Snakemake 9.27 for large matrices. Included last; no rule changes its meaning. Each
# comment names the work that is skipped.
import functools
import gc
import inspect

from snakemake.common import overwrite_function_params
from snakemake.dag import DAG
import snakemake.rules
from snakemake.io import AnnotatedString, IOCache, IOFile, _IOFile
from snakemake.iocontainers import AttributeGuard
from snakemake.jobs import Job
from snakemake.resources import Resource
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.types import Quietness

# The jobs of a matrix live as long as Snakemake does: Python need not look at all of them again for
# every few hundred objects that it makes.
gc.set_threshold(100_000, 50, 100)


def functions_of(one):
    """The functions of wildcards in a rule."""
    resources = (resource._evaluator for resource in one.resources.values())
    inputs = (getattr(file, "_file", file) for file in one.input)
    inputs = (getattr(file, "callable", file) for file in inputs)
    return [f for f in (one.group, *one.params, *resources, *inputs) if callable(f)]


# The signature of such a function each time it calls it: a fifth of all time. It is remembered in
# the attribute where Snakemake looks first.
for one in workflow.rules:
    for function in functions_of(one):
        try:
            overwrite_function_params(function, inspect.signature(function).parameters)
        except AttributeError:
            pass  # a bound method
evaluate = inspect.signature(Resource("any", 0).evaluate).parameters
overwrite_function_params(Resource.evaluate, evaluate)


# A copy of a file for each job that reads it.
class InputFile(_IOFile):
    """A file without wildcards, as input of all jobs of a rule."""

    def apply_wildcards(self, wildcards):
        return self


@functools.cache
def input_file(file, rule=None):
    return InputFile(AnnotatedString(file) if type(file) is str else file, rule)


snakemake.rules.IOFile = input_file

# Two objects that guard the names index and sort, in each list of files or wildcards of a job.
AttributeGuard.__new__ = staticmethod(
    functools.cache(lambda cls, name: object.__new__(cls))
)

# All params of every job, to see whether its environment depends on them (Job.conda_env_spec),
# though nobody wants environments unless they are deployed.
if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    DAG.update_conda_envs = lambda dag: None

# Five sets of a job's files of kinds that there are none of.
KINDS = ("temp", "protected", "touch", "pipe_or_service")
NONE = frozenset()
make_job = Job.__init__


def make_lean_job(job, *arguments, **options):
    make_job(job, *arguments, **options)
    for name in ("_queue_input", *(f"{kind}_output" for kind in KINDS)):
        setattr(job, name, getattr(job, name) or NONE)


Job.__init__ = make_lean_job

# Pipes, services and files that are read before their update, in all files: no rule has any.
DAG.handle_pipes_and_services = DAG.handle_update_flags = lambda dag: None


# The times of files, which say nothing: keys decide.
async def nothing(*arguments):
    pass


IOCache.mtime_inventory = nothing
Job.output_mintime = property(nothing)

# Logs and benchmarks of each job a second time, to see that they can be had.
Job.is_valid = lambda job: job.log and job.benchmark

# The producer of a file, for each job that reads it.
find_producer = DAG.update


async def find_producer_once(dag, jobs, file=None, known_producers=None, **options):
    known = {} if known_producers is None else known_producers
    producer = await find_producer(
        dag, jobs, file=file, known_producers=known, **options
    )
    if file is not None:
        known[file] = [producer]
    return producer


DAG.update = find_producer_once

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
