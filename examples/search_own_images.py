"""Search a ticket on one's own images: FOLDER/train/<class>/… and FOLDER/test/<class>/….

    python examples/search_own_images.py FOLDER [EPOCHS]

All images are squares of one size. Writes below results/cells; started again, it goes on.
"""

import sys
from pathlib import Path

import rst_core
from rst_core.data.manifest import read_manifest
from rst_core.identity import Adversary, Network, Ticket
from rst_core.job.cells import make, make_data_manifest
from rst_core.job.recipe import TrainingRecipe
from rst_core.settings import DatasetSettings, NetworkSettings, TrainingSettings
from rst_core.vocabulary import Architecture, Init, Origin, Pattern, SearchMethod, Source

folder, epochs = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8
images, labels = rst_core.load_test_images(folder)
classes = len([path for path in (folder / "train").iterdir() if path.is_dir()])
halves = (0.5, 0.5, 0.5)  # means and deviations of the channels; better: those of your images

dataset = DatasetSettings(
    source=Source.FOLDER, path=str(folder), classes=classes, image_size=images.shape[-1],
    mean=halves, std=halves, crop_padding=images.shape[-1] // 8, validation_images=50,
)  # fmt: skip
network = NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=1 / 8)
training = TrainingSettings(epochs=epochs, batch_size=32, decay_epochs=(), validation_steps=5)
ticket = Ticket(
    Network("own", "resnet18_eighth", Init.SIGNED_KAIMING_CONSTANT, seed=0),
    Origin.RST, 0.2, Pattern.ELEMENT, Adversary(SearchMethod.PGD7, 8.0),
)  # fmt: skip

cells, manifest = Path("results/cells"), Path("results/data/own.json")
make_data_manifest(manifest, "own", dataset, download=False)
data = read_manifest(manifest)
make(TrainingRecipe(cells, data, model=ticket, network=network, training=training))
found = rst_core.evaluate(rst_core.load(ticket.path), (images, labels), "pgd20-eps8")
print(ticket.path, found)
