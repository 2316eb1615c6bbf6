"""The run on a lent machine, tiny: whole, in parts, and without the workflow's packages."""

import dataclasses
import io
import itertools
import json
import subprocess
import sys
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from snakemake.utils import update_config
from torch.func import functional_call

from measurements.paper_scale import __main__ as command
from measurements.paper_scale import parcel, work
from measurements.paper_scale.compiled import compile_training
from measurements.paper_scale.curves import draw
from measurements.paper_scale.document import DOCUMENT, TABLES, Run, filled, take_over
from measurements.paper_scale.images import pack_archive
from measurements.paper_scale.scale import PAPER, PGD7, TOY
from measurements.paper_scale.schedule import cell_seconds, compiling_pays, decays, decide
from measurements.paper_scale.work import Options, Work
from rst_core.data import load_splits
from rst_core.spec import TransferRow
from rst_core.tickets import load_model
from rst_core.vocabulary import Source
from tests.conftest import ROOT, narrow_classifier
from workflow.config import read_config
from workflow.matrix import Matrix

TINY = replace(
    TOY,
    dataset=replace(TOY.dataset, image_size=8, crop_padding=1, validation_images=8),
    training=replace(TOY.training, epochs=2, decay_epochs=(1,), batch_size=8),
    attack_batch_size=10,
    auto_attack_images=2,
    images_a_class=3,
)
SPEED = {
    "training": {"search": 0.1, "dense": 0.09, "natural": 0.02},
    "attack": {"images": 500, "forward": 0.01, "gradient": 0.03},
    "compiled": {},
}
SCHEDULE = {
    "epochs": 2, "decay_epochs": [1], "paper_epochs": 2, "until_stage": 3, "seconds": 9.0,
    "reserved": 1.0, "epoch_seconds": {"search": 1.0, "dense": 1.0}, "compiled": False,
}  # fmt: skip
#: What a machine that is lent may lack.
ABSENT = (
    "snakemake", "pandas", "advertorch", "autoattack", "pyautoattack", "pydantic", "yaml",
    "matplotlib", "seaborn", "scipy", "sklearn", "torchvision", "tqdm",
)  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Four training and two test JPEGs of noise a class, all different."""
    path = tmp_path_factory.mktemp("archive") / "images.tar.xz"
    rng = np.random.default_rng(0)
    with tarfile.open(path, "w:xz") as tar:
        for split, count in (("train", 4), ("test", 2)):
            for label, number in itertools.product(range(10), range(count)):
                content = io.BytesIO()
                pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(content, "JPEG")
                member = tarfile.TarInfo(f"{split}/class{label}/{number:04}.jpg")
                member.size = len(content.getvalue())
                tar.addfile(member, io.BytesIO(content.getvalue()))
    return path


def options(tmp_path, archive, **changed):
    values = {"budget": 1000.0, "total": 1000.0, "compiling": False} | changed
    return Options(tmp_path / "run", archive, tmp_path / "out", **values)


def outcomes(folder):
    """What every cell found, without when and where."""
    found = {}
    for path in (folder / "cells").rglob("*.json"):
        cell = json.loads(path.read_text())
        found[cell["cell"]] = cell["results"]
    return found


def test_packed_images_are_those_of_the_folder(tmp_path, archive):
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "images", filter="data")
    pack_archive(archive, tmp_path / "packed.pt", a_class=None, processes=1)
    packed = load_splits(TINY.at(tmp_path / "packed.pt").dataset)
    folder = replace(TINY.dataset, source=Source.FOLDER, path=str(tmp_path / "images"))
    for one, other in zip(vars(packed).values(), vars(load_splits(folder)).values(), strict=True):
        assert torch.equal(one.pixels, other.pixels)
        assert torch.equal(one.labels, other.labels)
    pack_archive(archive, tmp_path / "few.pt", a_class=1, processes=1)
    few = load_splits(replace(TINY.at(tmp_path / "few.pt").dataset, validation_images=1))
    assert (len(few.train), sorted(few.test.labels.tolist())) == (9, list(range(10)))


def test_a_file_of_something_else_is_no_packed_images(tmp_path):
    torch.save({"train": 1}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="holds no packed images"):
        load_splits(TINY.at(tmp_path / "other.pt").dataset)


def test_the_whole_run_without_the_workflows_packages(tmp_path, archive):
    """A process of its own, in which everything but torch, numpy and PIL is hidden."""
    code = f"""
import sys
ABSENT = {ABSENT!r}
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"no module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
import importlib.util
seen = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name in ABSENT else seen(name, *a)
from dataclasses import replace
from measurements.paper_scale import scale, __main__ as command
TOY = scale.TOY
command.SCALES["toy"] = replace(
    TOY,
    dataset=replace(TOY.dataset, image_size=8, crop_padding=1, validation_images=8),
    training=replace(TOY.training, epochs=2, decay_epochs=(1,), batch_size=8),
    attack_batch_size=10, auto_attack_images=2, images_a_class=3,
)
words = "--scale toy --no-compile --folder run --archive {archive} --out out".split()
sys.exit(command.main(words))
"""
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    wanted = {cell.path for _, cell in TINY.wanted() if cell.attack != "auto_attack"}
    assert outcomes(tmp_path / "run").keys() == wanted
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    ends = {line["ended"].partition(":")[0] for line in record}
    assert ends == {"done", "skipped"}
    assert {line["stage"] for line in record} == {1, 2, 3, 4}
    _check_what_came_back(tmp_path)


def _check_what_came_back(tmp_path):
    """The parcels fill every part of the document, and a picture."""
    run = Run(tmp_path / "cells", tmp_path / "records", TINY.dataset_name)
    take_over(tmp_path / "out", run)
    for name, table in TABLES.items():
        text = table(run)
        assert "Not run" not in text, name
        assert "failed" not in text, name
    assert TABLES["transfer"](run).count("which is R2S under") == 2
    assert "81.73" in TABLES["accuracies"](run)
    ticket = run.cells / TINY.ticket(0.2).path / "best_val" / "ticket.pt"
    assert load_model(ticket)(torch.rand(1, 3, 8, 8)).shape == (1, 10)
    draw(run.cells / run.dataset, tmp_path / "curves.png", remark="toy", steps=2)
    assert (tmp_path / "curves.png").stat().st_size > 1000


def prepared(tmp_path):
    """A run's folder after stage 1, whose speed would not be the same twice."""
    folder = tmp_path / "run"
    folder.mkdir(parents=True)
    (folder / "speed.json").write_text(json.dumps(SPEED))
    (folder / "schedule.json").write_text(json.dumps(SCHEDULE))


def test_a_run_in_many_calls_is_that_of_one_call(tmp_path, archive):
    """Stopped at every few looks at the clock, within epochs and within attacks."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    scale = replace(TINY, training=replace(TINY.training, batch_size=4))
    prepared(whole)
    assert Work(scale, options(whole, archive, stages=(2,)), clock=lambda: 0.0).run()
    prepared(parts)
    calls, finished = 0, False
    while not finished and calls < 40:
        ticks = itertools.count()
        told = options(parts, archive, stages=(2,), budget=36.0)
        finished = Work(scale, told, clock=lambda ticks=ticks: float(next(ticks))).run()
        calls += 1
    assert finished
    assert calls > 2, "the budget did not stop anything"
    assert outcomes(whole / "run") == outcomes(parts / "run") != {}
    record = json.loads((parts / "run" / "record.json").read_text())
    unfinished = [line["what"] for line in record if line["ended"].startswith("unfinished")]
    assert {TINY.dense(PGD7).path, TINY.ticket(0.2).path} <= set(unfinished)


def test_one_failure_does_not_stop_the_others(tmp_path, archive, monkeypatch):
    """And the next call tries again."""
    prepared(tmp_path)
    make = work.make_trained

    def make_no_dense(root, model, *rest, **named):
        if model == TINY.dense(PGD7):
            raise RuntimeError("out of memory")
        make(root, model, *rest, **named)

    monkeypatch.setattr(work, "make_trained", make_no_dense)
    told = options(tmp_path, archive, stages=(2,))
    assert not Work(TINY, told).run()
    assert {path.split("/")[3] for path in outcomes(told.folder)} == {TINY.ticket(0.2).recipe}
    monkeypatch.undo()
    assert Work(TINY, told).run()
    assert len(outcomes(told.folder)) == 4


def test_parcels_take_the_best_models_first_and_come_back(tmp_path, archive):
    prepared(tmp_path)
    told = options(tmp_path, archive, stages=(2,))
    assert Work(TINY, told).run()
    back = tmp_path / "back"
    parcel.unpack(told.out, back)
    names = [p.relative_to(told.folder) for p in parcel.model_files(told.folder)]
    assert len(names) == 4
    assert all((back / n).read_bytes() == (told.folder / n).read_bytes() for n in names)
    small = sum(p.stat().st_size for p in parcel.small_files(told.folder))
    left = parcel.pack(told.folder, tmp_path / "little", small + 2**15)
    assert left == [told.folder / n for n in names[-len(left) :]] != []
    # Another machine goes on from there, and makes nothing again.
    assert Work(TINY, replace(told, folder=back)).run()
    assert (
        len(json.loads((back / "record.json").read_text()))
        == len(json.loads((told.folder / "record.json").read_text())) + 1
    )  # its images


def test_an_archive_in_slices_is_put_together(tmp_path, monkeypatch):
    monkeypatch.setattr(parcel, "SLICE", 1000)
    path = tmp_path / "run" / "cells" / "a" / "best_val" / "weights.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(np.random.default_rng(0).bytes(25_000))
    parcel.pack(tmp_path / "run", tmp_path / "out")
    # A later parcel may be smaller: slices of the earlier one must not be left over.
    path.write_bytes(np.random.default_rng(0).bytes(12_500))
    parcel.pack(tmp_path / "run", tmp_path / "out")
    assert len(list((tmp_path / "out").glob("models*"))) > 10
    parcel.unpack(tmp_path / "out", tmp_path / "back")
    assert (tmp_path / "back" / "cells" / "a" / "best_val" / "weights.pt").read_bytes() == (
        path.read_bytes()
    )


def test_the_command_names_what_is_missing(tmp_path, capsys):
    words = ["--scale", "toy", "--folder", str(tmp_path), "--archive", str(tmp_path / "no.tar")]
    assert command.main(words) == 1
    assert "no.tar does not exist" in capsys.readouterr().err


def test_the_settings_are_those_of_the_workflow():
    """The script repeats them, because the lent machine cannot read the config."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / "measurements/cifar10_jpeg.yaml").read_text()))
    matrix = Matrix(read_config(config))
    images = matrix.config.datasets[PAPER.dataset_name].images
    assert replace(images, path="") == replace(PAPER.dataset, path="")
    assert matrix.training_settings(PAPER.dataset_name) == PAPER.training
    assert matrix.network_settings(PAPER.identity) == PAPER.network
    wanted = [cell for _, cell in PAPER.wanted()]
    for cell in wanted:
        assert matrix.attack(cell) == PAPER.attack(cell.attack)
        if isinstance(cell, TransferRow):
            targets = [(t.model, t.selection) for t in matrix.targets(cell)]
            assert targets == PAPER.models(cell)
    experiments = ("dense", "existence", "attacks", "transfer", "r2s", "r2s_adaptive", "rtts")
    assert {c for e in experiments for c in matrix.cells(e)} <= set(wanted)


def told(seconds, speed=SPEED, **more):
    return decide(speed, PAPER, seconds, train_images=49_000, test_images=10_000, **more)


def test_the_longest_schedule_that_fits():
    long = told(10**6)
    assert (long.epochs, long.decay_epochs, long.until_stage) == (160, (80, 120), 3)
    short = told(3500)
    assert 20 <= short.epochs < 160
    assert short.decay_epochs == decays(short.epochs, PAPER.training)
    # One dense and three searches of so many epochs fit, of one more they don't.
    each = short.epoch_seconds["dense"] + 3 * short.epoch_seconds["search"]
    assert each * short.epochs <= 0.95 * 3500 - short.reserved < each * (short.epochs + 1)
    # Too short for four models: the two that are worth most get all of it.
    two = told(1300)
    assert two.until_stage == 2
    assert two.epochs > told(1300, least=1).epochs
    assert told(1).epochs == 1


@pytest.mark.parametrize(("epochs", "expected"), [(160, (80, 120)), (24, (12, 18)), (1, ())])
def test_decays_keep_their_fractions(epochs, expected):
    assert decays(epochs, PAPER.training) == expected


def test_compiling_is_used_where_it_pays():
    def measured(**found):
        good = {"first_seconds": 90, "again_seconds": 10, "search": 0.07, "loss_differs": 0.001}
        return SPEED | {"compiled": good | found}

    assert compiling_pays(measured(), 1500)
    assert not compiling_pays(measured(), 60)
    assert not compiling_pays(measured(search=0.099), 1500)
    assert not compiling_pays(measured(loss_differs=0.5), 1500)
    assert not compiling_pays(SPEED | {"compiled": {"failed": "no compiler"}}, 1500)
    assert told(1500, measured()).epochs > told(1500).epochs


def test_only_training_runs_compiled(monkeypatch):
    """Attacks on batches that shrink would compile for every size."""
    calls = []

    def compiled(function, **options):
        def call(x):
            calls.append(len(x))
            return function(x)

        return call

    monkeypatch.setattr(torch, "compile", compiled)
    model, images = narrow_classifier(), torch.rand(4, 3, 8, 8)
    plain = model.eval()(images)
    compile_training(model)
    assert torch.equal(model(images), plain)
    assert calls == []
    functional_call(model.train(), dict(model.named_parameters()), (images,))
    assert calls == [4]


def test_harder_attacks_are_expected_to_take_longer():
    cells = {cell.path: cell for _, cell in PAPER.wanted()}
    seconds = {path: cell_seconds(cell, SPEED, PAPER, 1000) for path, cell in cells.items()}
    best = f"{PAPER.dense(PGD7).path}/best_val"
    ensemble = next(path for path in cells if "ensemble" in path)
    assert (
        seconds[f"{best}/pgd20-eps8.json"] < seconds[ensemble]
        < seconds[f"{best}/auto_attack-eps8.json"]
    )  # fmt: skip


def test_the_document_is_that_of_the_committed_run():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == filled(text), "run: python -m measurements.paper_scale.document"
    assert text.count("<!-- measured") == text.count("<!-- end -->") == len(TABLES)


def test_every_option_of_a_call_can_be_typed():
    typed = {action.dest for action in command.parser()._actions}
    named = {"parcel_bytes": "parcel_mib", "compiling": "compile"}
    for field in dataclasses.fields(Options):
        assert named.get(field.name, field.name) in typed
